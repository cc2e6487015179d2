package io.attention4j.llm.pickle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.llm.format.FuzzRun;
import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tensors of torch's archives, and archives that are not meant well. */
class TorchFileTest {
  private static final long[] ONE = {1};

  @TempDir private Path folder;

  private Path file() {
    return folder.resolve("weights.pth");
  }

  private void refused(TinyTorch torch, String sentence) throws IOException {
    torch.write(file());
    refused(sentence);
  }

  private void refused(String sentence) {
    Exception e = assertThrows(ModelFormatException.class, () -> TorchFile.open(file()).close());
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }

  @Test
  void tensorsAreRowMajorWhateverTheirStrides() throws IOException {
    TinyTorch.stateDict().write(file());
    try (TorchFile torch = TorchFile.open(file())) {
      assertEquals(List.of("layers.0.weight", "transposed", "bias"), List.copyOf(torch.names()));
      assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, torch.tensor("layers.0.weight").toFloats());
      assertEquals(Shape.of(3, 2), torch.tensor("transposed").shape());
      assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, torch.tensor("transposed").toFloats());
      assertArrayEquals(new float[] {8, 7}, torch.tensor("bias").toFloats());
      assertEquals(List.of(), torch.leftOut());
      assertThrows(ModelFormatException.class, () -> torch.tensor("epoch"));
    }
  }

  @Test
  void nestedNamesAreJoinedAndAStateDictStandsForAll() throws IOException {
    TinyTorch torch = new TinyTorch();
    torch.op('}', '(').text("optimizer").op(']');
    torch.text("state_dict").op('}').text("a").op('}').text("b");
    torch.tensor("BFloat16Storage", "0", 2, 0, ONE, ONE).op('s', 's', 'u').data("0", 5);
    torch.write(file());
    try (TorchFile opened = TorchFile.open(file())) {
      assertEquals(List.of("a.b"), List.copyOf(opened.names()));
      assertEquals(DType.BF16, opened.tensor("a.b").dtype());
    }
  }

  /** A call of any function gives an object that means nothing; nothing runs. */
  @Test
  void functionsAreNeitherFoundNorCalled() throws IOException {
    Path victim = Files.writeString(folder.resolve("victim"), "here");
    TinyTorch torch = new TinyTorch();
    torch.op('}', '(').text("bad").global("os", "remove").op('(').text(victim.toString());
    torch.op('t', 'R').text("x").tensor("FloatStorage", "0", 1, 0, ONE, ONE).op('u').data("0", 3);
    torch.write(file());
    try (TorchFile opened = TorchFile.open(file())) {
      assertEquals(List.of("bad (os.remove)"), opened.leftOut());
      assertArrayEquals(new float[] {3}, opened.tensor("x").toFloats());
    }
    assertTrue(Files.exists(victim));
  }

  @Test
  void typesThatAreUnknownHereAreNamed() throws IOException {
    TinyTorch torch = new TinyTorch();
    torch.op('}', '(').text("mask").tensor("BoolStorage", "0", 1, 0, ONE, ONE);
    torch.text("x").tensor("LongStorage", "0", 1, 0, ONE, ONE).op('u').data("0", 0, 0);
    torch.write(file());
    try (TorchFile opened = TorchFile.open(file())) {
      assertEquals(List.of("mask (torch.BoolStorage)"), opened.leftOut());
      assertEquals(List.of("x"), List.copyOf(opened.names()));
    }
  }

  private static TinyTorch one(long elements, long offset, long[] size, long[] stride) {
    TinyTorch torch = new TinyTorch();
    torch.op('}').text("x").tensor("FloatStorage", "0", elements, offset, size, stride).op('s');
    return torch.data("0", 1, 2);
  }

  @Test
  void viewsOutsideTheirStorageAreRefused() throws IOException {
    refused(one(3, 0, ONE, ONE), "claims a storage of 3 elements of F32 but there are 8 bytes");
    refused(one(-1, 0, ONE, ONE), "claims a storage of -1 elements");
    refused(one(2, 2, ONE, ONE), "does not fit its storage of 2 elements");
    refused(one(2, -1, ONE, ONE), "does not fit its storage");
    refused(one(2, 0, new long[] {2}, new long[] {2}), "does not fit its storage");
    refused(one(2, 0, new long[] {1 << 30}, new long[] {0}), "does not fit its storage");
    refused(one(2, 0, new long[] {-1}, ONE), "extent or stride that is no count");
    long[] many = new long[9];
    refused(one(2, 0, many, many), "has 9 dimensions");
    long[] large = {Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE};
    refused(one(2, 0, large, large), "overflows");
  }

  @Test
  void otherFilesAreRefusedInASentence() throws IOException {
    Files.write(file(), new byte[] {(byte) 0x80, 2, (byte) 0x8a, 10});
    refused("as PyTorch before 1.6 saved it");
    Files.writeString(file(), "GGUF");
    refused("this is no zip archive");
    Files.write(file(), TinyTorch.stateDict().bytes(ZipEntry.DEFLATED));
    refused("is compressed, which torch.save never does");
    refused(
        TinyTorch.stateDict().entry("archive/byteorder", "big".getBytes(StandardCharsets.UTF_8)),
        "not little-endian");
    refused(TinyTorch.stateDict().entry("other/data.pkl", new byte[1]), "2 entries data.pkl");
    refused(new TinyTorch().op('N'), "describes no tensor");
    refused(new TinyTorch().op('h', 9), "recalls entry 9, which it never stored");
    refused(new TinyTorch().op('t'), "closes a group that it never opened");
    refused(new TinyTorch().op('0'), "takes more values than it gives");
    refused(new TinyTorch().op('P'), "the instruction 0x50");
    refused(new TinyTorch().op('X', 255, 255, 255, 127), "the pickle ends early");
    refused(new TinyTorch().op(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1), "an integer of 9 bytes");
    Files.delete(file());
    refused("there is no such file");
  }

  /** A dict in itself, and dicts that name each other many times. */
  @Test
  void whatNamesItselfEnds() throws IOException {
    refused(new TinyTorch().op('}', 'q', 0).text("again").op('h', 0, 's'), "nests deeper than 32");
    TinyTorch lists = new TinyTorch().op(']', 'q', 0);
    for (int i = 0; i < 30; i++) {
      lists.op(']', '(', 'h', i, 'h', i, 'h', i, 'e', 'q', i + 1);
    }
    refused(lists, "describes more than 1048576 values");
    TinyTorch views = new TinyTorch().op('}', '(');
    for (int i = 0; i < 9; i++) {
      views.text("x" + i).tensor("FloatStorage", "0", 2, 0, new long[] {2}, ONE);
    }
    refused(views.op('u').data("0", 1, 2), "72 bytes of views of 8 bytes");
  }

  @Test
  void mutatedFilesAreReadOrRefused() throws IOException {
    FuzzRun.run(
        "torch",
        List.of(TinyTorch.stateDict().bytes()),
        folder.resolve("f.pth"),
        path -> {
          try (TorchFile torch = TorchFile.open(path)) {
            for (String name : torch.names()) {
              assertFalse(torch.tensor(name).shape().elements() < 0);
            }
          }
        });
  }
}
