# Sourced by the launchers at the root, which set: root (this checkout), module, main, practice (the
# arguments of a short run that loads what a usual run loads). Starts the program of that module on
# JDK 25 or newer, building what is missing or older than its sources.
# Only the program's own words reach stdout and stderr.

readonly minimum=25
program="${0##*/}"

fail() {
  printf '%s: %s\n' "$program" "$1" >&2
  exit 1
}

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
    if major="$(jdk_major "$candidate")" && ((major >= minimum)); then
      jdk="$candidate"
      return
    fi
  done
  fail "needs JDK $minimum or newer and found none; install one (for example Temurin, https://adoptium.net) or set JAVA_HOME to it."
}

target="$root/$module/target"
stamp="$target/launcher.stamp"
log="$root/target/$module-build.log"

# True when nothing was built yet, or a pom or main source changed since.
is_stale() {
  [[ -e $stamp ]] || return 0
  [[ -n $(find "$root"/pom.xml "$root"/*/pom.xml "$root"/*/src/main -newer "$stamp" -print -quit 2>/dev/null) ]]
}

class_path() {
  local jars=("$target"/attention4j-*.jar "$target"/lib/*.jar)
  local IFS=:
  printf '%s' "${jars[*]}"
}

# The archive of parsed classes (CDS) for quick starts. Its name changes with the JDK, since it serves
# only the JDK that wrote it; the JVM itself ignores it when a jar or an option has changed. An AOT
# cache (JEP 514) would leave out picocli, whose class files are too old for it.
class_archive() {
  local key
  key="$({ printf '%s\n' "$jdk"; cat "$jdk/release" 2>/dev/null; } | cksum)"
  printf '%s' "$target/launcher-${key%% *}.jsa"
}

options=(
  --add-modules=jdk.incubator.vector
  --enable-native-access=ALL-UNNAMED
  --add-opens=java.base/java.io=ALL-UNNAMED
)

# Builds in the background with its output in the log; says so only if it takes over a second.
build() {
  mkdir -p "$root/target" "$target" 2>/dev/null && [[ -w $target && -w $root/target ]] ||
    fail "is not built yet, and $root cannot be written: make it writable or build it with ./mvnw package."
  local lock="$root/target/launcher.lock" owner job tenths
  until ln -s "$$" "$lock" 2>/dev/null; do
    owner="$(readlink "$lock")" || continue
    kill -0 "$owner" 2>/dev/null || rm -f "$lock"
    sleep 0.2
  done
  trap 'rm -f "$lock"' EXIT
  if is_stale; then
    prepare >"$log" 2>&1 </dev/null &
    job=$!
    trap 'kill "$job" 2>/dev/null; exit 130' INT TERM HUP
    for ((tenths = 0; tenths < 10; tenths++)); do
      kill -0 "$job" 2>/dev/null || break
      sleep 0.1
    done
    if kill -0 "$job" 2>/dev/null; then
      printf '%s: building, which takes up to a few minutes the first time ...\n' "$program" >&2
    fi
    if ! wait "$job"; then
      cat "$log" >&2
      fail "could not be built; the log above is in $log."
    fi
    trap - INT TERM HUP
  fi
  rm -f "$lock"
  trap - EXIT
}

# The build itself, then a practice run that records the classes of a usual start.
prepare() {
  rm -rf "$target/lib" "$target"/launcher*
  : >"$stamp.new"
  (cd "$root" && JAVA_HOME="$jdk" exec ./mvnw -B -ntp -q -Dmaven.test.skip=true -pl "$module" -am package) || return 1
  local archive list="$target/launcher.classes"
  archive="$(class_archive)"
  "$jdk/bin/java" -XX:DumpLoadedClassList="$list" "${options[@]}" -cp "$(class_path)" "$main" "${practice[@]}" &&
    "$jdk/bin/java" -Xshare:dump -XX:SharedClassListFile="$list" -XX:SharedArchiveFile="$archive.new" \
      -Xlog:disable "${options[@]}" -cp "$(class_path)" &&
    mv "$archive.new" "$archive"
  mv "$stamp.new" "$stamp"
}

launch() {
  find_jdk
  if is_stale; then
    build
  fi
  local archive
  archive="$(class_archive)"
  [[ ! -r $archive ]] || options+=(-XX:SharedArchiveFile="$archive")
  # The JVM announces the incubating vector module on stderr and has no switch against it. So its
  # descriptor 2 goes through a filter for that line, and the program writes to the real one, 3.
  exec "$jdk/bin/java" -Xlog:disable "${options[@]}" \
    -Dattention4j.stderr=3 -cp "$(class_path)" "$main" "$@" \
    3>&2 2> >(
      while IFS= read -r line || [[ -n $line ]]; do
        [[ $line == 'WARNING: Using incubator modules: jdk.incubator.vector' ]] || printf '%s\n' "$line"
      done >&3
    )
}

launch "$@"
