package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.llm.format.ModelFormatException;
import io.attention4j.llm.tiny.TinyGgufModel;
import io.attention4j.llm.tiny.TinySpec;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Saves that fail or are killed, and many sessions of one prompt. */
class SessionFaultTest {
  static final String CACHE = "f16+paged:page=4";
  static final LoadOptions OPTIONS =
      LoadOptions.builder().kernels("reference").kvCache(CACHE).maxBatchRows(8).build();
  private static final int[] PROMPT = {270, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  private static final long NEVER = Long.MAX_VALUE;

  @TempDir static Path folder;
  private static Path file;
  private static LanguageModel model;

  /** Bytes of the layers after which a save fails for want of room. */
  private static final AtomicLong ROOM = new AtomicLong(NEVER);

  @BeforeAll
  static void load() throws IOException {
    file = TinyGgufModel.write(TinySpec.of("llama"), folder.resolve("llama.gguf"));
    model =
        LanguageModel.load(
            file,
            OPTIONS,
            context ->
                new SavingCaches(
                    CACHE,
                    context,
                    saved -> {
                      if (ROOM.get() != NEVER && ROOM.decrementAndGet() < 0) {
                        throw new IOException("No space left on device");
                      }
                    }));
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static int[] next(Session session) {
    return session
        .generate(
            GenerationRequest.builder()
                .promptTokens(Arrays.stream(PROMPT).boxed().toList())
                .maxTokens(12)
                .ignoreEnd(true)
                .build())
        .run()
        .tokens();
  }

  private static void assertNoPartsIn(Path where) throws IOException {
    try (Stream<Path> files = Files.list(where)) {
      assertEquals(List.of(), files.filter(path -> path.toString().endsWith(".part")).toList());
    }
  }

  /** Killed with nothing of the layers written, in a layer, in a later one, and after the save. */
  @ParameterizedTest
  @ValueSource(longs = {0, 1, 200, 500, NEVER})
  void aKilledSaveLeavesTheOldFileWhole(long stopAfter) throws Exception {
    Path where = Files.createDirectory(folder.resolve("killed-" + stopAfter));
    Path target = where.resolve("session");
    try (Session before = model.newSession();
        Session restored = model.newSession()) {
      before.append(PROMPT);
      before.save(target);
      final byte[] old = Files.readAllBytes(target);
      killDuringSave(target, stopAfter, CACHE, 270, 20, 21, 22, 23, 24, 25, 26);
      try (Stream<Path> files = Files.list(where)) {
        // What was killed leaves its unfinished file, under a name that no save uses again.
        assertEquals(stopAfter == NEVER ? 1 : 2, files.count());
      }
      restored.restore(target);
      if (stopAfter == NEVER) {
        assertArrayEquals(new int[] {270, 20, 21, 22, 23, 24, 25, 26}, restored.tokens());
      } else {
        assertArrayEquals(old, Files.readAllBytes(target));
        assertArrayEquals(PROMPT, restored.tokens());
        assertArrayEquals(before.logits(), restored.logits());
      }
      before.save(target);
      restored.restore(target);
      assertArrayEquals(before.logits(), restored.logits());
    }
  }

  private static void killDuringSave(Path target, long stopAfter, String cache, int... tokens)
      throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                classPath(),
                SaveUntilKilled.class.getName(),
                file.toString(),
                target.toString(),
                Long.toString(stopAfter),
                cache));
    for (int token : tokens) {
      command.add(Integer.toString(token));
    }
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    StringBuilder said = new StringBuilder();
    try (BufferedReader out =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      String line = out.readLine();
      while (line != null && !line.equals("stopped")) {
        said.append(line).append('\n');
        line = out.readLine();
      }
      assertEquals("stopped", line, said.toString());
      process.destroyForcibly(); // SIGKILL
      assertTrue(process.waitFor(30, TimeUnit.SECONDS));
    } finally {
      process.destroyForcibly();
    }
  }

  /** The files of a cache have no names, so that the system frees them with the process. */
  @ParameterizedTest
  @ValueSource(strings = {"file:dir=DIR", "offload:slots=1;dir=DIR"})
  void aKilledProcessLeavesNoCacheBehind(String tier) throws Exception {
    Path where = Files.createDirectory(folder.resolve("left-" + tier.substring(0, 4)));
    String cache = CACHE + "+" + tier.replace("DIR", where.toString());
    killDuringSave(folder.resolve("unfinished"), 0, cache, PROMPT);
    try (Stream<Path> files = Files.list(where)) {
      assertEquals(List.of(), files.toList());
    }
  }

  /** Caches in files decode as in memory; a folder that goes is one error, and so is its end. */
  @ParameterizedTest
  @ValueSource(strings = {"file:dir=DIR", "offload:slots=1;dir=DIR"})
  void cachesInFilesOutliveTheirFolder(String tier) throws IOException {
    Path where = Files.createDirectory(folder.resolve("tier-" + tier.substring(0, 4)));
    String cache = CACHE + "+" + tier.replace("DIR", where.toString());
    LoadOptions options =
        LoadOptions.builder().kernels("reference").kvCache(cache).maxBatchRows(8).build();
    try (LanguageModel inFiles = LanguageModel.load(file, options)) {
      try (Session session = inFiles.newSession();
          Session inMemory = model.newSession()) {
        Files.delete(where);
        IllegalStateException e =
            assertThrows(IllegalStateException.class, () -> session.append(PROMPT));
        assertTrue(e.getMessage().contains(where.toString()), e.getMessage());
        assertEquals(0, session.position());
        Files.createDirectory(where);
        assertArrayEquals(next(inMemory), next(session));
        assertTrue(inFiles.kvUsage().fileBytes() > 0);
        try (Session fork = session.fork()) {
          Path saved = where.resolve("saved");
          fork.save(saved);
          session.rewind(5);
          session.restore(saved);
          assertArrayEquals(inMemory.logits(), session.logits());
          assertArrayEquals(inMemory.logits(), fork.logits());
        }
      }
      assertEquals(0, inFiles.kvUsage().fileBytes());
      assertEquals(0, inFiles.kvUsage().memoryBytes());
    }
  }

  /** At every piece of the file the disk may be full. */
  @Test
  void aFullDiskIsOneErrorAndTheSessionGoesOn() throws IOException {
    Path where = Files.createDirectory(folder.resolve("full"));
    Path target = where.resolve("session");
    try (Session session = model.newSession();
        Session undisturbed = model.newSession();
        Session restored = model.newSession()) {
      session.append(PROMPT);
      session.save(target);
      final byte[] old = Files.readAllBytes(target);
      int failures = 0;
      for (long pieces = 0; ; pieces++) {
        ROOM.set(pieces);
        try {
          session.save(target);
          break;
        } catch (IOException e) {
          failures++;
          assertTrue(e.getMessage().contains(target.toString()), e.getMessage());
          assertTrue(e.getMessage().contains("No space left on device"), e.getMessage());
          assertArrayEquals(old, Files.readAllBytes(target));
          assertNoPartsIn(where);
        } finally {
          ROOM.set(NEVER);
        }
      }
      assertTrue(failures > 10, failures + " places where the disk was full");
      assertArrayEquals(next(undisturbed), next(session));
      session.save(target);
      restored.restore(target);
      assertArrayEquals(session.tokens(), restored.tokens());
    }
  }

  /**
   * The same with a real file system of 6 MiB, which a process of its own mounts where nobody else
   * sees it and fills; skipped where the system does not let it.
   */
  @Test
  void aRealFullDiskIsOneErrorAndTheSessionGoesOn() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("small"));
    List<String> mounted =
        List.of(
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o size=6m none \"$0\" && exec \"$@\"",
            disk.toString());
    String refused = said(mounted, "echo", "mounted");
    if (!refused.equals("mounted")) {
      System.err.println(
          "SKIPPED aRealFullDisk: this system mounts no file system for a test: " + refused);
    }
    Assumptions.assumeTrue(refused.equals("mounted"), refused);
    assertEquals(
        "ok",
        said(
            mounted,
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            classPath(),
            FullDisk.class.getName(),
            file.toString(),
            disk.toString()));
  }

  /** All that a command writes; what went wrong where it cannot be started. */
  private static String said(List<String> prefix, String... command) throws InterruptedException {
    List<String> all = new ArrayList<>(prefix);
    all.addAll(List.of(command));
    try {
      Process process = new ProcessBuilder(all).redirectErrorStream(true).start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(process.waitFor(30, TimeUnit.SECONDS));
      return said.strip();
    } catch (IOException e) {
      return e.getMessage();
    }
  }

  private static String classPath() {
    return System.getProperty("java.class.path")
        + java.io.File.pathSeparator
        + System.getProperty("jdk.module.path", "");
  }

  @Test
  void aFolderThatCannotBeWrittenIsOneErrorAndTheSessionGoesOn() throws IOException {
    Path where = Files.createDirectory(folder.resolve("locked"));
    Files.setPosixFilePermissions(where, PosixFilePermissions.fromString("r-xr-xr-x"));
    if (Files.isWritable(where)) { // an administrator may write anywhere but into /proc
      where = Path.of("/proc/self");
    }
    Path locked = where.resolve("session");
    try (Session session = model.newSession();
        Session undisturbed = model.newSession()) {
      session.append(PROMPT);
      IOException e = assertThrows(IOException.class, () -> session.save(locked));
      assertTrue(e.getMessage().contains(locked.getParent().toString()), e.getMessage());
      IOException absent =
          assertThrows(IOException.class, () -> session.save(folder.resolve("no/session")));
      assertTrue(absent.getMessage().contains(folder.resolve("no").toString()));
      IOException target = assertThrows(IOException.class, () -> session.save(folder));
      assertTrue(target.getMessage().contains(folder.toString()), target.getMessage());
      assertArrayEquals(next(undisturbed), next(session));
    }
  }

  @Test
  void aRemovedFileIsOneErrorAndTheSessionGoesOn() throws IOException {
    Path removed = folder.resolve("removed");
    try (Session session = model.newSession();
        Session undisturbed = model.newSession()) {
      session.append(PROMPT);
      session.save(removed);
      Files.delete(removed);
      ModelFormatException e =
          assertThrows(ModelFormatException.class, () -> session.restore(removed));
      assertTrue(e.getMessage().contains(removed.toString()), e.getMessage());
      assertArrayEquals(next(undisturbed), next(session));
    }
  }

  @Test
  void aThousandSessionsOfOnePromptShareItsPages() {
    try (Session prompt = model.newSession()) {
      prompt.append(PROMPT);
      prompt.append(PROMPT);
      prompt.append(PROMPT);
      final long alone = model.kvUsage().memoryBytes();
      List<Session> sessions = new ArrayList<>();
      for (int i = 0; i < 1000; i++) {
        sessions.add(prompt.fork());
      }
      assertEquals(alone, model.kvUsage().memoryBytes());
      long counted = sessions.stream().mapToLong(Session::bytes).sum();
      System.out.printf(
          Locale.ROOT,
          "1000 sessions of a prompt of %d tokens: %.1f KiB live, %.1f KiB if nothing were"
              + " shared%n",
          prompt.position(),
          alone / 1024.0,
          counted / 1024.0);
      int[] expected = next(prompt);
      assertArrayEquals(expected, next(sessions.get(0)));
      assertArrayEquals(expected, next(sessions.get(999)));
      sessions.forEach(Session::close);
    }
    assertEquals(0, model.kvUsage().memoryBytes());
  }
}
