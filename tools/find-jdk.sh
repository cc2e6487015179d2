#!/usr/bin/env bash
# Prints the home of the first JDK of version 25 or newer; without one, a sentence that says what to
# install, and status 1. Run it, or source it and call find_jdk, which sets jdk.

readonly minimum_jdk=25

# Major version of the JDK at $1; fails if $1 is no JDK.
jdk_major() {
  [[ -x $1/bin/java && -x $1/bin/javac ]] || return 1
  local line version=
  if [[ -r $1/release ]]; then
    while IFS= read -r line; do
      [[ $line == JAVA_VERSION=* ]] && version="${line#JAVA_VERSION=}"
    done <"$1/release"
    version="${version//\"/}"
  fi
  if [[ -z $version ]]; then
    version="$("$1/bin/java" -version 2>&1 </dev/null)" || return 1
    [[ $version =~ version\ \"([0-9][^\"]*)\" ]] || return 1
    version="${BASH_REMATCH[1]}"
  fi
  version="${version#1.}"
  printf '%s' "${version%%[!0-9]*}"
}

find_jdk() {
  local candidate major on_path
  local candidates=()
  [[ -z ${JAVA_HOME-} ]] || candidates+=("$JAVA_HOME")
  if on_path="$(command -v java)"; then
    on_path="$(readlink -f "$on_path")"
    candidates+=("${on_path%/bin/java}")
  fi
  candidates+=(/usr/lib/jvm/* "${HOME-}"/.sdkman/candidates/java/* "${HOME-}"/.jdks/*
    /Library/Java/JavaVirtualMachines/*/Contents/Home)
  for candidate in "${candidates[@]}"; do
    if major="$(jdk_major "$candidate")" && ((major >= minimum_jdk)); then
      jdk="$candidate"
      return
    fi
  done
  printf 'Attention4j needs JDK %s or newer and none was found: install one (for example from https://adoptium.net) or set JAVA_HOME to it.\n' \
    "$minimum_jdk" >&2
  return 1
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  find_jdk && printf '%s\n' "$jdk"
fi
