# Sourced by the launchers at the root, which set: root (this checkout), module, main, practice (the
# arguments of a short run that loads what a usual run loads) and may set profile (a Maven profile
# that builds the module in target/PROFILE) and own_options (of the JVM). Starts the program of that
# module on JDK 25 or newer, building what is missing or older than its sources.
# Only the program's own words reach stdout and stderr.

program="${0##*/}"

fail() {
  printf '%s: %s\n' "$program" "$1" >&2
  exit 1
}

source "$root/tools/find-jdk.sh"

target="$root/$module/target${profile:+/$profile}"
stamp="$target/launcher.stamp"
log="$root/target/$module-build.log"

# True when nothing was built yet, or a pom or main source changed since.
is_stale() {
  [[ -e $stamp ]] || return 0
  [[ -n $(find "$root"/tools "$root"/pom.xml "$root"/*/pom.xml "$root"/*/src/main \
    ${profile:+"$root/$module/src/$profile"} -newer "$stamp" -print -quit 2>/dev/null) ]]
}

class_path() {
  local jars=("$target"/attention4j-*.jar "$target"/lib/*.jar)
  local IFS=:
  printf '%s' "${jars[*]}"
}

# Sets archive: the archive of parsed classes (CDS) for quick starts. Its name changes with the JDK,
# since it serves only the JDK that wrote it; the JVM ignores it when a jar or an option has changed.
# An AOT cache (JEP 514) would leave out picocli, whose class files are too old for it.
name_archive() {
  local key
  key="$({ printf '%s\n' "$jdk"; cat "$jdk/release" 2>/dev/null; } | cksum)"
  archive="$target/launcher-${key%% *}.jsa"
}

options=(
  --add-modules=jdk.incubator.vector
  --enable-native-access=ALL-UNNAMED
  --add-opens=java.base/java.io=ALL-UNNAMED
  ${own_options[@]+"${own_options[@]}"}
)

# Brings program and class archive up to date, with the output in the log; says so only if that takes
# over a second. One process at a time; the others wait.
build() {
  mkdir -p "$root/target" "$target" 2>/dev/null && [[ -w $target && -w $root/target ]] ||
    fail "is not built yet, and $root cannot be written: make it writable, or run this once as its owner."
  local lock="$root/target/launcher.lock" owner job tenths=0
  until ln -s "$$" "$lock" 2>/dev/null; do
    owner="$(readlink "$lock")" || continue
    kill -0 "$owner" 2>/dev/null || rm -f "$lock"
    sleep 0.1
    ((++tenths != 10)) || printf '%s: waiting for another build ...\n' "$program" >&2
  done
  # A process group of its own, so that one signal ends Maven and all that it started.
  set -m
  prepare >"$log" 2>&1 </dev/null &
  job=$!
  set +m
  trap 'kill -- "-$job" 2>/dev/null; rm -f "$lock"; exit 130' INT TERM HUP
  for ((tenths = 0; tenths < 10; tenths++)); do
    kill -0 "$job" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$job" 2>/dev/null; then
    printf '%s: building, which takes up to a few minutes the first time ...\n' "$program" >&2
  fi
  if ! wait "$job"; then
    rm -f "$lock"
    grep -E '^\[(ERROR|WARNING)\]|^[^[]' "$log" >&2
    fail "could not be built; the whole log is in $log."
  fi
  trap - INT TERM HUP
  rm -f "$lock"
}

prepare() {
  if is_stale; then
    rm -rf "$target/lib" "$target"/launcher*
    : >"$stamp.new"
    (cd "$root" && JAVA_HOME="$jdk" exec ./mvnw -B -ntp -Dquick -Dmaven.test.skip=true ${profile:+-P"$profile"} \
      -pl "$module" -am package) ||
      return 1
    mv "$stamp.new" "$stamp"
  fi
  [[ -e $archive ]] && return
  # Where this fails the empty file says that it was tried.
  local list="$target/launcher.classes"
  : >"$archive"
  "$jdk/bin/java" -XX:DumpLoadedClassList="$list" "${options[@]}" -cp "$(class_path)" "$main" "${practice[@]}" &&
    "$jdk/bin/java" -Xshare:dump -XX:SharedClassListFile="$list" -XX:SharedArchiveFile="$archive.new" \
      -Xlog:disable "${options[@]}" -cp "$(class_path)" &&
    mv "$archive.new" "$archive"
  return 0
}

launch() {
  [[ -e /dev/fd/2 ]] || exec 2>/dev/null
  find_jdk || exit 1
  name_archive
  if is_stale || [[ ! -e $archive && -w $target ]]; then
    build
  fi
  [[ ! -s $archive || ! -r $archive ]] || options+=(-XX:SharedArchiveFile="$archive")
  # Without a locale the JVM would read arguments and write text as ASCII.
  case "${LC_ALL:-${LC_CTYPE:-${LANG:-C}}}" in C | POSIX) export LC_ALL=C.UTF-8 ;; esac
  # The program's stderr may be a terminal although descriptor 2 is about to be a pipe.
  [[ ! -t 1 ]] || options+=(-Dattention4j.stdout.terminal=true)
  [[ ! -t 2 ]] || options+=(-Dattention4j.stderr.terminal=true)
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
