"""Secrets are told from names, paths and addresses."""

import string

import numpy as np
import pytest
from known_secrets import SECRETS

from lamflow.secrets import find_secret

HARMLESS = (
    "environment:ARGO_TOKEN",
    "file:/home/someone/.config/argo/token",
    "kubeconfig:arn:aws:eks:eu-central-1:123456789012:cluster/lamflow",
    "kubeconfig:gke_my-project_europe-west1-b_lamflow",
    "https://argo.example.org:2746/argo",
    "https://s3.eu-central-1.amazonaws.com",
    "http://[::1]:9000",
    "profile:AdministratorAccess-123456789012",
    "/home/someone/a/deep/path/to/the/ca-certs.pem",
    "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
    "web-identity",
    "/Users/JohnDoe/Projects2/Company/certificates",
    "/Users/JohnDoe/Projects2/CompanyCerts/rootCA",
    "my-team/some-project/models_v2",
)


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_secrets_are_found(text: str) -> None:
    assert find_secret(text, {})


@pytest.mark.parametrize("text", HARMLESS)
def test_names_paths_and_addresses_are_not(text: str) -> None:
    assert find_secret(text, {}) is None


def test_values_of_secret_variables_are_found_whatever_they_look_like() -> None:
    environment = {"ARGO_TOKEN": "hunter2", "HOME": "hunter3", "KEY_FILE_TOKEN": "/etc/hunter4"}
    assert (
        find_secret("xhunter2x", environment) == "the value of the environment variable ARGO_TOKEN"
    )
    assert find_secret("hunter3 /etc/hunter4", environment) is None


@pytest.mark.parametrize("length", [24, 32, 40, 64])
def test_random_keys_are_found(length: int) -> None:
    rng = np.random.default_rng(length)
    letters = list(string.ascii_letters + string.digits)
    words = ["aA1" + "".join(rng.choice(letters, length)) for _ in range(200)]
    assert [word for word in words if find_secret(word, {}) is None] == []
