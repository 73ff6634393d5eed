#!/bin/sh
# A cluster on this machine for trying things out: kind or k3d, Argo Workflows, a small S3 server.
# Wanted: docker or podman, kubectl, and kind or k3d. Ends by printing how to use it.
set -eu
: "${NAME:=lamflow}" "${ARGO_VERSION:=v4.1.2}"
here=$(cd "$(dirname "$0")/.." && pwd)

if command -v kind >/dev/null; then
    kind get clusters | grep -qx "$NAME" || kind create cluster --name "$NAME"
    kubectl config use-context "kind-$NAME"
elif command -v k3d >/dev/null; then
    k3d cluster get "$NAME" >/dev/null 2>&1 || k3d cluster create "$NAME"
    kubectl config use-context "k3d-$NAME"
else
    echo "neither kind nor k3d is installed: https://kind.sigs.k8s.io, https://k3d.io" >&2
    exit 2
fi

kubectl get namespace argo >/dev/null 2>&1 || kubectl create namespace argo
kubectl apply --server-side --namespace argo \
    -f "https://github.com/argoproj/argo-workflows/releases/download/$ARGO_VERSION/install.yaml"
kubectl apply -f "$here/k8s/base/namespace.yaml"
kubectl --namespace lamflow get secret lamflow-s3 >/dev/null 2>&1 ||
    kubectl --namespace lamflow create secret generic lamflow-s3 \
        --from-literal=AWS_ACCESS_KEY_ID=lamflow \
        --from-literal=AWS_SECRET_ACCESS_KEY="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
kubectl apply -k "$here/k8s/overlays/dev"
kubectl --namespace lamflow rollout status deployment/lamflow-s3 --timeout=300s
kubectl --namespace argo rollout status deployment/argo-server --timeout=300s
# In MinIO's storage a bucket is a folder; this spares another tool.
kubectl --namespace lamflow exec deployment/lamflow-s3 -- mkdir -p /data/lamflow

cat <<END
ready. In two other terminals:
  kubectl --namespace argo port-forward service/argo-server 2746
  kubectl --namespace lamflow port-forward service/lamflow-s3 9000
then here:
  export ARGO_TOKEN=\$(kubectl --namespace lamflow create token lamflow-submit)
  kubectl --namespace argo get secret argo-server-tls -o jsonpath='{.data.tls\\.crt}' | base64 -d >argo-ca.pem
  lamflow context add $NAME --server https://localhost:2746 --ca argo-ca.pem --namespace lamflow \\
      --token environment:ARGO_TOKEN --bucket lamflow --endpoint http://localhost:9000 \\
      --credentials secret:lamflow-s3
  lamflow doctor --context $NAME
END
