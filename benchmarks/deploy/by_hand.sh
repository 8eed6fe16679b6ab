#!/usr/bin/env bash
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What an administrator with a shell would write to get the federation that playbooks/site.yml makes: the same packages,
# wheels, keys and units, all hosts at the same time, one connection to each. It is what the playbook is measured against,
# so it does nothing twice and waits for nothing but the machines. Nor does it check or repair anything.
#
#   by_hand.sh SSH_CONFIG LOCK WHEELHOUSE CA_DIRECTORY SUPERLINK SUPERNODE...
#
# Hosts are names in SSH_CONFIG, which has one connection to each of them shared.
set -euo pipefail

config=$1 lock=$2 wheelhouse=$3 ca=$4 superlink=$5
supernodes=("${@:6}")
files=$(cd "$(dirname "$0")" && pwd)/files
work=$(mktemp -d)

finish() {
    local host
    for host in "$superlink" "${supernodes[@]}"; do
        ssh -F "$config" -O exit "$host" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT

### What happens on the hosts, as root, with the files that scp has put into the directory deploy

install_flower() {
    cd deploy
    umask 022
    groupadd --system --gid 49999 flower
    useradd --system --uid 49999 --gid 49999 --home-dir /opt/flower --no-create-home \
        --shell /usr/sbin/nologin --comment Flower flower
    install -d -m 0755 /opt/flower
    install -d -m 0750 -o flower -g flower /opt/flower/app
    install -d -m 0700 -o flower -g flower /opt/flower/app/.flwr
    install -d -m 0750 -g flower /opt/flower/certificates /opt/flower/data
    install -m 0644 ca.crt /opt/flower/certificates/
    ./uv venv --quiet --no-config --python /usr/bin/python3 /opt/flower/venv
    ./uv pip sync --quiet --no-config --require-hashes --compile-bytecode --link-mode copy --cache-dir cache \
        --offline --no-index --find-links wheels --python /opt/flower/venv/bin/python requirements.txt
    rm -rf cache wheels
}

install_nginx() {
    # Not started by its package: Debian's own configuration would open port 80.
    install -m 0755 /dev/stdin /usr/sbin/policy-rc.d <<<$'#!/bin/sh\nexit 101'
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq --no-install-recommends install nginx >/dev/null
    rm /usr/sbin/policy-rc.d
}

request_certificate() {
    install -m 0600 -o flower -g flower /dev/null /opt/flower/certificates/server.key
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out /opt/flower/certificates/server.key
    openssl req -new -key /opt/flower/certificates/server.key -subj "/CN=$1"
}

start_superlink() {
    cd deploy
    install -d -m 0750 -o flower -g flower /opt/flower/state /opt/flower/trainings
    head -c 32 /dev/urandom | install -m 0600 -o flower -g flower /dev/stdin /opt/flower/state/superexec.secret
    install -m 0644 server.crt /opt/flower/certificates/
    install -m 0640 -g flower config.toml /opt/flower/app/.flwr/
    install -m 0644 nginx.conf /etc/nginx/flower.conf
    install -m 0644 -D nginx.service /etc/systemd/system/nginx.service.d/flower.conf
    install -m 0644 flower-superlink.service flower-superexec.service /etc/systemd/system/
    systemctl daemon-reload
    systemctl --quiet enable --now flower-superlink flower-superexec nginx
    until /usr/bin/python3 health.py /opt/flower/certificates/ca.crt; do sleep 0.5; done
}

make_key() {
    cd deploy
    ssh-keygen -q -t ecdsa -b 384 -N "" -C "$1" -f /opt/flower/certificates/supernode_key
    chown flower:flower /opt/flower/certificates/supernode_key{,.pub}
    install -m 0640 -g flower supernode.toml /opt/flower/
    install -m 0644 flower-supernode.service /etc/systemd/system/
    systemctl daemon-reload
    cat /opt/flower/certificates/supernode_key.pub
}

start_supernode() {
    systemctl --quiet enable --now flower-supernode
}

flwr() {
    sudo -u flower env FLWR_HOME=/opt/flower/app/.flwr FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1 \
        /opt/flower/venv/bin/flwr "$@"
}

register() {
    install -m 0600 -o flower /dev/stdin "/tmp/$1.pub" <<<"$2"
    flwr supernode register "/tmp/$1.pub" local --name "$1" --format json | grep -q '"success": true'
    rm "/tmp/$1.pub"
}

await_online() {
    until [[ $(flwr supernode list local --format json | grep -c '"status": "online"') == "$1" ]]; do sleep 0.5; done
}

### What happens here

# Run functions from above on a host: on HOST FUNCTION ARGUMENT...
on() {
    local script
    script="$(declare -f "$2" flwr); $(printf '%q ' "${@:2}")"
    ssh -n -T -F "$config" "$1" "sudo bash -euo pipefail -c $(printf '%q' "$script")"
}

# Run a function for each argument, all at the same time, and fail when one fails: each FUNCTION ARGUMENT...
each() {
    local argument process processes=()
    for argument in "${@:2}"; do
        "$1" "$argument" &
        processes+=($!)
    done
    for process in "${processes[@]}"; do
        wait "$process"
    done
}

make_authority() {
    mkdir -p "$ca"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -noenc -keyout "$ca/ca.key" -out "$ca/ca.crt" \
        -days 3650 -subj "/CN=Flower federation CA" -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
}

sign_certificate() {
    openssl x509 -req -in "$work/server.csr" -CA "$ca/ca.crt" -CAkey "$ca/ca.key" -CAcreateserial -days 397 \
        -extfile <(printf '%s\n' "subjectAltName=DNS:$superlink,DNS:localhost,IP:$address,IP:127.0.0.1,IP:::1" \
            keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth) -out "$work/server.crt" 2>/dev/null
}

# scp -r makes the directory on the host.
collect_files() {
    mkdir "$work/deploy" "$work/keys"
    cp -r "$wheelhouse" "$work/deploy/wheels"
    python3 -m zipfile -e "$wheelhouse"/uv-*.whl "$work/uv"
    install -m 0755 "$work"/uv/uv-*.data/scripts/uv "$work/deploy/uv"
    cp "$lock" "$work/deploy/requirements.txt"
    cp "$ca/ca.crt" "$work/deploy/"
}

set_up_superlink() {
    scp -q -r -F "$config" "$work/deploy" "$1:"
    on "$1" install_nginx &
    local nginx=$!
    on "$1" install_flower
    on "$1" request_certificate "$1" >"$work/server.csr"
    sign_certificate
    scp -q -F "$config" "$work/server.crt" "$files"/superlink/* "$1:deploy/"
    wait "$nginx"
    on "$1" start_superlink
}

set_up_supernode() {
    local own="$work/$1"
    scp -q -r -F "$config" "$work/deploy" "$1:"
    on "$1" install_flower
    mkdir "$own"
    sed "s/SITE/$1/" "$files/supernode/supernode.toml" >"$own/supernode.toml"
    sed "s/SUPERLINK/$address/" "$files/supernode/flower-supernode.service" >"$own/flower-supernode.service"
    scp -q -F "$config" "$own"/* "$1:deploy/"
    on "$1" make_key "$1" >"$work/keys/$1"
}

set_up() {
    if [[ $1 == "$superlink" ]]; then set_up_superlink "$1"; else set_up_supernode "$1"; fi
}

join() {
    on "$superlink" register "$1" "$(<"$work/keys/$1")"
    on "$1" start_supernode
}

address=$(ssh -F "$config" -G "$superlink" | sed -n 's/^hostname //p')
make_authority
collect_files
each set_up "$superlink" "${supernodes[@]}"
each join "${supernodes[@]}"
on "$superlink" await_online "${#supernodes[@]}"
