#!/bin/sh
# A whole experiment in containers: services, data, every recommender, leaderboard. Needs Docker only.
#   DATASET=ml-1m docker/demo.sh
set -eu
cd "$(dirname "$0")/.."

if docker compose version >/dev/null 2>&1; then
    compose() { docker compose "$@"; }
else
    compose() { docker-compose "$@"; }
fi
run() { compose run --rm -T "$@"; }
tool() { run --no-deps --entrypoint "python -m cli $*" migrate; }

# as you, so that what is downloaded or made is yours
make_data() {
    run --no-deps --user "$(id -u):$(id -g)" --volume "$PWD/data:/app/data" \
        --entrypoint "python -m cli $*" migrate
}

pick() {
    for name in ml-10m ml-latest-small; do
        [ -d "data/$name" ] && echo "$name" && return
    done
    make_data fetch ml-latest-small >&2 && echo ml-latest-small && return
    [ -d data/synthetic ] || make_data synth --out data/synthetic --users 2000 --movies 1500 --ratings 200000 >&2
    echo "could not download one, so the data set is SYNTHETIC" >&2
    echo synthetic
}

compose --profile load --profile pipelines build
compose up -d
DATASET=${DATASET:-$(pick)}
export DATASET
[ -d "data/$DATASET" ] || [ "$DATASET" = ml-10m ] || make_data fetch "$DATASET"
echo "data set: $DATASET"
run load
# a container cannot see which image it is of, so it is told
image_of() { docker image ls --quiet --no-trunc --filter "label=org.opencontainers.image.title=RecArena $1" | head -n 1; }
for service in $(compose --profile pipelines config --services | grep '^pipeline_' | sort); do
    run -e "RECARENA_IMAGE=$(image_of "$service")" "$service"
done
tool leaderboard --dataset "$DATASET"
echo "MLflow UI: http://$(compose port mlflow-server "${MLFLOW_TRACKING_PORT:-5001}") (stop it with \`docker-compose down\`)"
