#!/bin/bash
# Pins the container images of deploy/ by digest: docker.io/library/redis:7.4.5-bookworm becomes the same name with
# @sha256:... behind it. It asks the registry what each tag means now, by skopeo (Debian's package of that name).
set -euo pipefail

files=("$@")
[ $# -gt 0 ] || files=(deploy/Containerfile deploy/compose.yaml)
if ! command -v skopeo > /dev/null; then
  echo "需要 skopeo：apt-get install skopeo / skopeo is needed: apt-get install skopeo" >&2
  exit 3
fi

mapfile -t images < <(grep --only-matching --no-filename --extended-regexp 'docker\.io/[a-z0-9./_-]+:[A-Za-z0-9._-]+' "${files[@]}" | sort --unique)
for image in "${images[@]}"; do
  digest=$(skopeo inspect --format '{{.Digest}}' "docker://$image")
  if [[ ! $digest =~ ^sha256:[0-9a-f]{64}$ ]]; then
    echo "登记处没有给出 $image 的摘要 / The registry gave no digest of $image: $digest" >&2
    exit 3
  fi
  sed --in-place --regexp-extended "s#${image//./\\.}(@sha256:[0-9a-f]{64})?( |\$)#$image@$digest\2#" "${files[@]}"
  echo "$image@$digest"
done
