"""Where artifacts lie: a local folder or a bucket in S3, behind one small protocol."""
