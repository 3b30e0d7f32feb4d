#!/bin/bash
# A Ceph on one machine with its S3 gateway, for trials: it stores everything once, in one file of FOLDER, and accepts any
# client that can reach its port. Follow Ceph's documentation to set up a library's own Ceph.
#
#   apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common uuid-runtime curl
#   deploy/trial-gateway.sh up FOLDER [PORT]    create it unless it exists, start it, print the settings (port 7480)
#   deploy/trial-gateway.sh down FOLDER         stop it; the data stays
set -euo pipefail

action=${1:?up or down}
folder=$(realpath --canonicalize-missing "${2:?a folder}")
export CEPH_CONF=$folder/ceph.conf CEPH_ARGS=

configure() {
  local port=$1
  mkdir -p "$folder"/{monitor,objects,run}
  cat > "$CEPH_CONF" <<CONF
[global]
fsid = $(uuidgen)
mon_initial_members = a
mon_host = [v1:127.0.0.1:$((port + 1))]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data_avail_crit = 0
run_dir = $folder/run
log_file = $folder/\$name.log
pid_file = $folder/run/\$name.pid
admin_socket =
crash_dir = $folder
[mon]
mon_data = $folder/monitor
[osd]
osd_data = $folder/objects
osd_class_update_on_start = false
osd_crush_update_on_start = false
osd_memory_target = 939524096
bluestore_block_create = true
bluestore_block_size = ${TRIAL_BYTES:-21474836480}
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$port
CONF
  monmaptool --create --addv a "[v1:127.0.0.1:$((port + 1))]" --fsid "$(setting fsid)" "$folder/monmap" > "$folder/setup.log"
  ceph-mon --mkfs -i a --monmap "$folder/monmap" >> "$folder/setup.log" 2>&1
}

create_storage() {
  local disk
  disk=$(uuidgen)
  ceph osd new "$disk"
  ceph-osd -i 0 --mkfs --osd-uuid "$disk"
  ceph osd crush add osd.0 1.0 root=default host=here
  touch "$folder/objects/made"
}

setting() { sed -n "s/^$1 = //p" "$CEPH_CONF"; }
runs() { local id; id=$(cat "$folder/run/$1.pid" 2>/dev/null) && [ "$(tr '\0' ' ' 2>/dev/null < "/proc/$id/cmdline" | cut -d' ' -f1)" = "$2" ]; }

up() {
  local address secret
  [ -f "$CEPH_CONF" ] || configure "${1:-7480}"
  address=http://$(setting rgw_frontends | sed 's/.*endpoint=//')
  runs mon.a ceph-mon || ceph-mon -i a
  [ -f "$folder/objects/made" ] || create_storage >> "$folder/setup.log" 2>&1
  runs osd.0 ceph-osd || ceph-osd -i 0 >> "$folder/setup.log" 2>&1
  if [ ! -f "$folder/secret" ]; then
    secret=$(uuidgen | tr -d -)
    timeout 120 radosgw-admin user create --uid=shanben --display-name=shanben --access-key=shanben --secret-key="$secret" \
      >> "$folder/setup.log" 2>&1
    (umask 077 && echo "$secret" > "$folder/secret")
  fi
  runs client.rgw radosgw || radosgw -n client.rgw >> "$folder/setup.log" 2>&1
  for _ in $(seq 120); do
    if curl --silent --fail --output /dev/null "$address"; then
      printf 'SHANBEN_S3_ENDPOINT=%s\nSHANBEN_S3_ACCESS_KEY=shanben\nSHANBEN_S3_SECRET_KEY=%s\n' "$address" "$(cat "$folder/secret")"
      return
    fi
    sleep 0.5
  done
  echo "网关没有应答，见 $folder 中的日志 / The gateway does not answer; the logs are in $folder" >&2
  exit 3
}

down() {
  local pair id
  for pair in client.rgw:radosgw osd.0:ceph-osd mon.a:ceph-mon; do
    runs "${pair%:*}" "${pair#*:}" || continue
    id=$(cat "$folder/run/${pair%:*}.pid")
    kill "$id"
    for _ in $(seq 300); do kill -0 "$id" 2>/dev/null || break; sleep 0.1; done
  done
}

case $action in
  up) up "${3:-}" ;;
  down) down ;;
  *) echo "up FOLDER [PORT] | down FOLDER" >&2; exit 2 ;;
esac
