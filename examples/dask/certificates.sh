#!/bin/sh
# A certificate authority for nothing but this Dask, and a certificate each for scheduler, workers and clients.
# Whoever has one of the three may run code on the workers: ca.key stays where this ran, *.key are readable by their owner only.
set -eu
umask 077
cd "${1:?where to: certificates.sh FOLDER}"
days=825

openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days "$days" -subj "/CN=stackdoctor dask" -keyout ca.key -out ca.pem
for role in scheduler worker client; do
    openssl req -newkey rsa:3072 -nodes -subj "/CN=stackdoctor dask $role" -keyout "$role.key" -out "$role.csr"
    openssl x509 -req -sha256 -days "$days" -in "$role.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -out "$role.pem"
    rm "$role.csr"
done
