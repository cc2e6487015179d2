package io.attention4j.kernels.opencl;

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
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.TopKKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/** A decoder's kernels over one page, token by token. */
final class DecoderStep implements AutoCloseable {
  private static final int HEADS = 2;
  private static final int DIM = 16;

  private final OpenClDevice device;
  private final Arena host = Arena.ofConfined();
  private final MatmulKernel.MatmulPlan matmul;
  private final AttentionPlan attention;
  private final Tensor x;
  private final Tensor out;
  private final KvPage page;
  private final PagedKv kv = new PagedKv(HEADS);
  private final int[] token = new int[1];
  private final float[] logit = new float[1];
  private final AttentionBatch batch = new AttentionBatch();

  DecoderStep(OpenClDevice device, Device.TensorArena arena) {
    this.device = device;
    Tensor memory = arena.allocate(DType.F32, 2, 16, DIM);
    x = arena.allocate(DType.F32, 1, HEADS, DIM);
    out = arena.allocate(DType.F32, 1, HEADS, DIM);
    page =
        new KvPage(
            16,
            memory.storage(),
            memory.byteOffset(),
            KvFormat.F32,
            DIM,
            memory.storage(),
            memory.byteOffset() + 16 * DIM * 4,
            KvFormat.F32,
            DIM);
    AttentionSpec spec = AttentionSpec.builder(HEADS, HEADS, DIM).build();
    attention = device.kernel(AttentionKernel.class).orElseThrow().plan(spec);
    Tensor weight = Tensor.allocate(host, DType.F32, HEADS * DIM, HEADS * DIM);
    matmul = device.kernel(MatmulKernel.class).orElseThrow().plan(List.of(weight), null);
  }

  /** Decodes the token at position {@code length - 1}. */
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
    TopKKernel topK = device.kernel(TopKKernel.class).orElseThrow();
    topK.run(out.reshape(1, HEADS * DIM), 1, HEADS * DIM, 1, token, logit);
  }

  @Override
  public void close() {
    matmul.close();
    attention.close();
    host.close();
  }
}
