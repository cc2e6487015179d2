package io.attention4j.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** A process with a small file system of its own, which it fills. */
final class FullDisk {
  private static final int[] PROMPT = {270, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  private static final int DECODED = 40;

  private final Path model;
  private final Path disk;
  private final Path filler;

  private FullDisk(Path model, Path disk) {
    this.model = model;
    this.disk = disk;
    filler = disk.resolve("filler");
  }

  /** Arguments: model, the folder where the small file system is. Says "ok" at the end. */
  public static void main(String[] arguments) throws IOException {
    FullDisk run = new FullDisk(Path.of(arguments[0]), Path.of(arguments[1]));
    run.aSaveFails();
    run.aTierFails("file:dir=" + run.disk);
    run.aTierFails("offload:slots=1;dir=" + run.disk);
    System.out.println("ok");
  }

  private LanguageModel load(String cache) throws IOException {
    return LanguageModel.load(
        model, LoadOptions.builder().kernels("reference").kvCache(cache).maxBatchRows(8).build());
  }

  private static int[] next(Session session, int[] prompt, int tokens) {
    return session
        .generate(
            GenerationRequest.builder()
                .promptTokens(Arrays.stream(prompt).boxed().toList())
                .maxTokens(tokens)
                .ignoreEnd(true)
                .build())
        .run()
        .tokens();
  }

  private void fill() throws IOException {
    try (FileChannel channel =
        FileChannel.open(filler, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      ByteBuffer zeros = ByteBuffer.allocate(4096);
      while (channel.write(zeros.clear()) > 0) {
        // until there is no room
      }
    } catch (IOException e) {
      assertTrue(e.getMessage().contains("No space left"), e.getMessage());
    }
  }

  private void aSaveFails() throws IOException {
    Path target = disk.resolve("session");
    try (LanguageModel loaded = load(SessionFaultTest.CACHE);
        Session session = loaded.newSession();
        Session undisturbed = loaded.newSession();
        Session restored = loaded.newSession()) {
      session.append(PROMPT);
      session.save(target);
      final byte[] old = Files.readAllBytes(target);
      fill();
      IOException e = assertThrows(IOException.class, () -> session.save(target));
      assertTrue(e.getMessage().contains(target.toString()), e.getMessage());
      assertTrue(e.getMessage().contains("No space left"), e.getMessage());
      assertArrayEquals(old, Files.readAllBytes(target));
      try (Stream<Path> files = Files.list(disk)) {
        assertEquals(List.of(filler, target), files.sorted().toList());
      }
      assertArrayEquals(next(undisturbed, PROMPT, DECODED), next(session, PROMPT, DECODED));
      Files.delete(filler);
      session.save(target);
      restored.restore(target);
      assertArrayEquals(session.tokens(), restored.tokens());
      Files.delete(target);
    }
  }

  /** Full at the first token and, where what is taken is small, while decoding. */
  private void aTierFails(String tier) throws IOException {
    try (LanguageModel inMemory = load(SessionFaultTest.CACHE);
        LanguageModel inFiles = load(SessionFaultTest.CACHE + "+" + tier);
        Session expected = inMemory.newSession();
        Session session = inFiles.newSession()) {
      fill();
      requireFull(() -> session.append(PROMPT));
      assertEquals(0, session.position());
      Files.delete(filler);
      session.append(PROMPT);
      expected.append(PROMPT);
      fill();
      int failed = 0;
      for (int i = 0; i < DECODED; i++) {
        int token = 20 + i;
        long before = session.position();
        try {
          session.append(token);
        } catch (IllegalStateException e) {
          requireSentence(e);
          assertEquals(before, session.position());
          Files.delete(filler);
          session.append(token);
          fill();
          failed++;
        }
        expected.append(token);
        assertArrayEquals(expected.logits(), session.logits());
      }
      assertTrue(failed > 0 || tier.startsWith("file"), "the disk was never full");
      Files.delete(filler);
    }
  }

  private void requireFull(Runnable step) {
    requireSentence(assertThrows(IllegalStateException.class, step::run));
  }

  private void requireSentence(IllegalStateException e) {
    assertTrue(e.getMessage().contains(disk.toString()), e.getMessage());
    assertTrue(e.getMessage().contains("No space left"), e.getMessage());
    assertTrue(e.getMessage().contains("free space"), e.getMessage());
  }
}
