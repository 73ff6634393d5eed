"""Texts that are secrets by their looks; all are made up or from public documentation."""

SECRETS = {
    "access key": "AKIAIOSFODNN7EXAMPLE",
    "secret key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "web token": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl",
    "bearer": "Bearer abcdef123456",
    "private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "password in an address": "https://me:pass@host/x",
    "user in an address": "https://me@host/x",
    "signed address": "https://host/x?X-Amz-Signature=abc",
    "hexadecimal": "0123456789abcdef0123456789abcdef",
    "hub token": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
}
