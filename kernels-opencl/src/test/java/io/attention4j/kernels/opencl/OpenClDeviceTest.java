package io.attention4j.kernels.opencl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jocl.cl_mem;
import org.jocl.cl_program;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Memory, programs and faults of the device, beside the contracts. */
@ExtendWith(NeedsOpenCl.class)
class OpenClDeviceTest {
  private final CountingCl cl = new CountingCl(new JoclApi());

  private OpenClDevice open() {
    return new OpenClProvider(cl).openDevice(ClSettings.read());
  }

  @AfterEach
  void nothingIsLeft() {
    assertEquals(Map.of(), cl.live());
  }

  @Test
  void tokensCreateNoObjectAndBuildNoProgram() {
    try (OpenClDevice device = open();
        Device.TensorArena arena = device.newArena();
        DecoderStep step = new DecoderStep(device, arena)) {
      step.run(1);
      int buffers = cl.calls("createBuffer");
      int programs = cl.calls("createProgram") + cl.calls("createProgramWithBinary");
      int kernels = cl.calls("createKernel");
      assertTrue(buffers > 0 && programs > 0 && kernels > 0);
      long readBefore = cl.readBytes();
      long writtenBefore = cl.writtenBytes();
      for (int token = 2; token <= 9; token++) {
        step.run(token);
      }
      assertEquals(8 * Long.BYTES, cl.readBytes() - readBefore, "a key a token");
      // The id is an argument; of the table of the step only what changed is uploaded: the position
      // of the row, and for each head what its last segment holds.
      long written = (cl.writtenBytes() - writtenBefore) / 8;
      assertTrue(written < 320, written + " bytes a token were uploaded");
      assertEquals(buffers, cl.calls("createBuffer"), "buffers created");
      assertEquals(
          programs,
          cl.calls("createProgram") + cl.calls("createProgramWithBinary"),
          "programs created");
      assertEquals(kernels, cl.calls("createKernel"), "kernels created");
    }
  }

  @Test
  void compiledKernelsAreKeptOnDisk(@TempDir Path directory) throws IOException, ClDevice.NotFound {
    ClSettings settings = new ClSettings(ClSettings.read().device(), 0, directory, false);
    assertEquals(List.of(1, 0), buildsAndLoads(settings), "a cold cache");
    assertEquals(List.of(0, 1), buildsAndLoads(settings), "a warm cache");
    Path entry;
    try (Stream<Path> files = Files.list(directory)) {
      List<Path> all = files.toList();
      assertEquals(1, all.size(), "one file and no partial one");
      entry = all.getFirst();
    }
    byte[] whole = Files.readAllBytes(entry);
    for (int length : new int[] {3, whole.length - 1}) {
      Files.write(entry, Arrays.copyOf(whole, length));
      assertEquals(List.of(1, 0), buildsAndLoads(settings), "cut to " + length);
      assertEquals(List.of(0, 1), buildsAndLoads(settings), "written anew");
    }
    whole[whole.length / 2] ^= 1;
    Files.write(entry, whole);
    assertEquals(List.of(1, 0), buildsAndLoads(settings), "a changed byte");
    ClBinaryCache cache = settings.cache(new OpenClProvider(cl).choose(settings));
    cache.write(entry, new byte[] {1, 2, 3});
    assertEquals(List.of(1, 0), buildsAndLoads(settings), "what the driver does not take");
    Path file = Files.writeString(directory.resolve("file"), "no folder");
    ClSettings nowhere = new ClSettings(settings.device(), 0, file.resolve("x"), false);
    assertEquals(List.of(1, 0), buildsAndLoads(nowhere), "a folder that cannot be made");
  }

  private List<Integer> buildsAndLoads(ClSettings settings) {
    try (OpenClDevice device = new OpenClProvider(cl).openDevice(settings);
        Device.TensorArena arena = device.newArena()) {
      Tensor x = arena.allocate(DType.F32, 1, 4);
      EmbeddingKernel kernel = device.kernel(EmbeddingKernel.class).orElseThrow();
      kernel.run(arena.allocate(DType.F32, 1, 4), new int[] {0}, 1, x);
      assertArrayEquals(new float[4], download(device, x));
      return List.of(device.context().builds(), device.context().loads());
    }
  }

  @Test
  void kernelsAreTimedOnRequest() {
    ClSettings settings = new ClSettings(ClSettings.read().device(), 0, null, true);
    try (OpenClDevice device = new OpenClProvider(cl).openDevice(settings);
        Device.TensorArena arena = device.newArena();
        DecoderStep step = new DecoderStep(device, arena)) {
      step.run(1);
      step.run(2);
      String table = device.context().profileTable();
      assertTrue(table.contains("attend"), table);
      assertTrue(table.contains(cl.readBytes() + " bytes"), table);
      assertTrue(table.contains(cl.writtenBytes() + " bytes"), table);
      assertTrue(table.lines().anyMatch(l -> l.startsWith("gemv") && l.contains(" 2 runs")), table);
    }
  }

  @Test
  void uploadsOfManySizesArriveInOrder() {
    try (OpenClDevice device = open();
        Device.TensorArena arena = device.newArena()) {
      for (int elements : new int[] {1, 1000, 20_000, 300_000, 1_500_000}) {
        Tensor x = arena.allocate(DType.F32, elements);
        float[] values = new float[elements];
        for (int round = 1; round <= 9; round++) {
          Arrays.fill(values, round);
          device.upload(MemorySegment.ofArray(values), x);
          Arrays.fill(values, -1);
        }
        assertEquals(9, download(device, x)[elements - 1]);
        assertEquals(9, download(device, x)[0]);
      }
    }
  }

  @Test
  void transfersOfHeapAndNativeMemoryRoundTrip() {
    try (OpenClDevice device = open();
        Device.TensorArena arena = device.newArena();
        Arena host = Arena.ofConfined()) {
      Tensor tensor = arena.allocate(DType.F32, 3, 5);
      assertArrayEquals(new float[15], download(device, tensor), "new tensors are zero");
      float[] values = new float[10];
      for (int i = 0; i < values.length; i++) {
        values[i] = i - 4.5f;
      }
      device.upload(MemorySegment.ofArray(values), tensor.slice(0, 1, 2));
      float[] back = download(device, tensor);
      assertEquals(0, back[4]);
      assertEquals(-4.5f, back[5]);
      assertEquals(4.5f, back[14]);
      MemorySegment nativeBytes = host.allocate(60);
      device.download(tensor, nativeBytes);
      assertEquals(4.5f, nativeBytes.get(Tensor.FLOAT, 56));
    }
  }

  @Test
  void aTensorOfAClosedOwnerIsRefused() {
    try (OpenClDevice device = open()) {
      Tensor tensor;
      try (Device.TensorArena arena = device.newArena()) {
        tensor = arena.allocate(DType.F32, 4);
      }
      IllegalStateException e =
          assertThrows(IllegalStateException.class, () -> download(device, tensor));
      assertTrue(e.getMessage().contains("owner is closed"), e.getMessage());
    }
  }

  @Test
  void hostTensorsAreRefusedWithTheRemedy() {
    try (OpenClDevice device = open();
        Arena host = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(host, DType.F32, 4);
      ElementwiseKernel kernel = device.kernel(ElementwiseKernel.class).orElseThrow();
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class,
              () -> kernel.run(ElementwiseKernel.Operation.SCALE, x, null, 2, 4));
      assertTrue(e.getMessage().contains("newArena()"), e.getMessage());
    }
  }

  @Test
  void aBufferThatCannotExistNamesTheSizes() {
    try (OpenClDevice device = open();
        Device.TensorArena arena = device.newArena()) {
      IllegalStateException e =
          assertThrows(IllegalStateException.class, () -> arena.allocate(DType.I8, 1L << 50));
      assertTrue(e.getMessage().contains("1073741824.0 MiB"), e.getMessage());
      assertTrue(e.getMessage().contains("smaller context"), e.getMessage());
      assertEquals(0, cl.live(cl_mem.class));
    }
  }

  @Test
  void aFailedBuildGivesLogOptionsAndDevice() {
    try (OpenClDevice device = open()) {
      ClProgramCache.Source source = ClProgramCache.Source.of("rows", "-Dkernel=no -DITEM_COUNT=3");
      IllegalStateException e =
          assertThrows(
              IllegalStateException.class,
              () -> device.context().launch(source, "norm", new long[] {1}, new long[] {64}));
      assertTrue(e.getMessage().contains("error"), e.getMessage());
      assertTrue(e.getMessage().contains("-DITEM_COUNT=3"), e.getMessage());
      assertTrue(e.getMessage().contains(device.context().device().name()), e.getMessage());
      assertEquals(0, cl.live(cl_program.class));
    }
  }

  @Test
  void theAutomaticChoiceLeavesCpusAlone() throws ClDevice.NotFound {
    boolean gpu = ClDevice.all(cl).getFirst().kind() != ClDevice.Kind.CPU;
    List<String> expected = gpu ? List.of("opencl", "auto") : List.of("auto");
    assertEquals(expected, KernelSelector.attempts("auto"));
    assertEquals(List.of("opencl"), KernelSelector.attempts("opencl"));
  }

  @Test
  void devicesAreChosenByNumberKindAndName() throws ClDevice.NotFound {
    List<ClDevice> devices = ClDevice.all(cl);
    ClDevice first = devices.getFirst();
    assertEquals(first, ClDevice.choose("", devices));
    assertEquals(first, ClDevice.choose("0", devices));
    assertEquals(first, ClDevice.choose(first.kind().name(), devices));
    assertEquals(first, ClDevice.choose(first.name().substring(1), devices));
    ClDevice.NotFound e =
        assertThrows(ClDevice.NotFound.class, () -> ClDevice.choose("no such device", devices));
    assertTrue(e.getMessage().contains("0 = " + first.name()), e.getMessage());
  }

  private static float[] download(Device device, Tensor tensor) {
    float[] values = new float[(int) tensor.shape().elements()];
    try (Arena host = Arena.ofConfined()) {
      MemorySegment bytes = host.allocate(tensor.byteSize());
      device.download(tensor, bytes);
      MemorySegment.copy(bytes, Tensor.FLOAT, 0, values, 0, values.length);
    }
    return values;
  }
}
