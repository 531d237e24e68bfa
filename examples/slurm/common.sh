# Shared by prolog, epilog and task_prolog: settings, the job's record, and calls of namctl for a user.
#
# The record of a job on a node is one line, written by root: STATE RESTARTS TEXT.
#   asked    the prolog has begun; where this stays, it did not come to its end
#   granted  TEXT is the id of the allocation
#   refused  TEXT says why
# No record: the job asked for no memory.
# shellcheck shell=bash disable=SC2034

namctl=/usr/local/bin/namctl
store=/dev/shm/psnam-%u
default_store=$store
records=/run/psnam
expire=30d
patience=60
settings=${BASH_SOURCE[0]%/*}/settings
# shellcheck source=examples/slurm/settings
if [[ -r $settings ]]; then source "$settings"; fi

job=${SLURM_JOB_ID:?Slurm sets it}
restarts=${SLURM_JOB_RESTART_COUNT:-0}
record=$records/job-$job
name=job-$job

store_of() { printf '%s' "${store//%u/$1}"; }

# The record's line appears as a whole or not at all.
put_record() {
  mkdir -p "$records" && printf '%s %s %s\n' "$1" "$restarts" "$2" >"$record.new" && mv -f "$record.new" "$record"
}

# namctl on the store of the job's user, as that user.
call_namctl() {
  timeout --kill-after=5 "$patience" "$namctl" --store "$(store_of "$SLURM_JOB_UID")" --owner "$SLURM_JOB_UID" "$@"
}

# The memory of the job goes, with whatever windows are in it. True, too, where there is none.
release() { call_namctl free --recursive --if-exists "$name"; }

# A line for the administrator.
note() {
  logger --tag psnam --priority daemon.warning "job $job: $*" 2>/dev/null || printf 'psnam: job %s: %s\n' "$job" "$*" >&2
}
