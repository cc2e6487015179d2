package io.attention4j.kernels.opencl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Memory, programs and faults of the device, beside the contracts. */
@ExtendWith(NeedsOpenCl.class)
class OpenClDeviceTest {
  private static final int HEADS = 2;
  private static final int DIM = 16;

  @Test
  void nothingIsLeftAfterClosing() {
    OpenClDevice device = OpenClProvider.openDevice();
    LiveObjects live = device.context().live();
    try (Device.TensorArena arena = device.newArena();
        Step step = new Step(device, arena)) {
      step.run(1);
      assertTrue(live.buffers.get() > 0 && live.kernels.get() > 0 && live.programs.get() > 0);
    }
    assertEquals(1, live.buffers.get(), "the device's own buffer of row ids, after owners closed");
    device.close();
    assertEquals(0, live.total(), live.toString());
  }

  @Test
  void tokensCreateNoBufferAndBuildNoProgram() {
    try (OpenClDevice device = OpenClProvider.openDevice();
        Device.TensorArena arena = device.newArena();
        Step step = new Step(device, arena)) {
      step.run(1);
      long bytes = device.context().allocatedBytes();
      int builds = device.context().builds();
      for (int token = 2; token <= 9; token++) {
        step.run(token);
      }
      assertEquals(bytes, device.context().allocatedBytes(), "bytes of buffers");
      assertEquals(builds, device.context().builds(), "programs built");
    }
  }

  @Test
  void transfersOfHeapAndNativeMemoryRoundTrip() {
    try (OpenClDevice device = OpenClProvider.openDevice();
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
    try (OpenClDevice device = OpenClProvider.openDevice()) {
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
    try (OpenClDevice device = OpenClProvider.openDevice();
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
    try (OpenClDevice device = OpenClProvider.openDevice();
        Device.TensorArena arena = device.newArena()) {
      IllegalStateException e =
          assertThrows(IllegalStateException.class, () -> arena.allocate(DType.I8, 1L << 50));
      assertTrue(e.getMessage().contains("1073741824.0 MiB"), e.getMessage());
      assertTrue(e.getMessage().contains("smaller context"), e.getMessage());
      assertEquals(0, device.context().live().buffers.get());
    }
  }

  @Test
  void aFailedBuildGivesLogOptionsAndDevice() {
    try (OpenClDevice device = OpenClProvider.openDevice()) {
      ClProgramCache.Source source =
          new ClProgramCache.Source(List.of("rows"), "this is no C;\n", "-DITEM_COUNT=3");
      IllegalStateException e =
          assertThrows(
              IllegalStateException.class,
              () -> device.context().launch(source, "norm", new long[] {1}, new long[] {64}));
      assertTrue(e.getMessage().contains("error"), e.getMessage());
      assertTrue(e.getMessage().contains("-DITEM_COUNT=3"), e.getMessage());
      assertTrue(e.getMessage().contains(device.context().device().name()), e.getMessage());
      assertEquals(0, device.context().live().programs.get());
    }
  }

  @Test
  void devicesAreChosenByNumberKindAndName() throws ClDevice.NotFound {
    List<ClDevice> devices = ClDevice.all();
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

  /** A decoder's kernels over one page, token by token. */
  private static final class Step implements AutoCloseable {
    private final OpenClDevice device;
    private final Arena host = Arena.ofConfined();
    private final MatmulKernel.MatmulPlan matmul;
    private final AttentionPlan attention;
    private final Tensor x;
    private final Tensor out;
    private final KvPage page;
    private final PagedKv kv = new PagedKv(HEADS);
    private final AttentionBatch batch = new AttentionBatch();

    Step(OpenClDevice device, Device.TensorArena arena) {
      this.device = device;
      Tensor weight = Tensor.allocate(host, DType.F32, HEADS * DIM, HEADS * DIM);
      matmul = device.kernel(MatmulKernel.class).orElseThrow().plan(List.of(weight), null);
      AttentionSpec spec = AttentionSpec.builder(HEADS, HEADS, DIM).build();
      attention = device.kernel(AttentionKernel.class).orElseThrow().plan(spec);
      x = arena.allocate(DType.F32, 1, HEADS, DIM);
      out = arena.allocate(DType.F32, 1, HEADS, DIM);
      Tensor memory = arena.allocate(DType.F32, 2, 16, DIM);
      page =
          new KvPage(
              16,
              memory.storage(),
              0,
              KvFormat.F32,
              DIM,
              memory.storage(),
              16 * DIM * 4,
              KvFormat.F32,
              DIM);
    }

    void run(int length) {
      Tensor flat = x.reshape(1, HEADS * DIM);
      EmbeddingKernel embedding = device.kernel(EmbeddingKernel.class).orElseThrow();
      embedding.run(out.reshape(1, HEADS * DIM), new int[] {0}, 1, flat);
      matmul.run(flat, 1, new Tensor[] {out.reshape(1, HEADS * DIM)}, false);
      KvWriteKernel writer = device.kernel(KvWriteKernel.class).orElseThrow();
      writer.write(x, x, 0, 1, 0, page, length - 1);
      page.length(length);
      batch.reset();
      batch.add(1, length - 1);
      kv.reset(1);
      for (int h = 0; h < HEADS; h++) {
        kv.set(0, h, new KvPage[] {page}, 1);
      }
      attention.run(
          batch, new AttentionInputs(x, kv, Selection.NONE), new AttentionOutputs(out, null));
    }

    @Override
    public void close() {
      matmul.close();
      attention.close();
      host.close();
    }
  }
}
