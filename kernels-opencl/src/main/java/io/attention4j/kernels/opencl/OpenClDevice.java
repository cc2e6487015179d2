package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.CausalConvKernel;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.Kernel;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.PrefixAttentionKernel;
import io.attention4j.engine.spi.ProbeKernel;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.SoftmaxKernel;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.spi.TopKKernel;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Optional;

/** An opened OpenCL device. */
final class OpenClDevice implements Device {
  private final ClContext context;
  private final OpenClEmbedding embedding;
  private final OpenClTopK topK;
  private final OpenClPrefixAttention prefixAttention;
  private final Map<Class<?>, Kernel<?>> kernels;

  OpenClDevice(ClContext context) {
    this.context = context;
    this.embedding = new OpenClEmbedding(context);
    this.topK = new OpenClTopK(context);
    this.prefixAttention = new OpenClPrefixAttention(context);
    this.kernels =
        Map.ofEntries(
            Map.entry(AttentionKernel.class, new OpenClAttention(context)),
            Map.entry(MatmulKernel.class, new OpenClMatmul(context)),
            Map.entry(NormKernel.class, new OpenClNorm(context)),
            Map.entry(RopeKernel.class, new OpenClRope(context)),
            Map.entry(ActivationKernel.class, new OpenClActivation(context)),
            Map.entry(ElementwiseKernel.class, new OpenClElementwise(context)),
            Map.entry(SoftmaxKernel.class, new OpenClSoftmax(context)),
            Map.entry(TopKKernel.class, topK),
            Map.entry(EmbeddingKernel.class, embedding),
            Map.entry(KvWriteKernel.class, new OpenClKvWrite(context)),
            Map.entry(LinearScanKernel.class, new OpenClLinearScan(context)),
            Map.entry(PrefixAttentionKernel.class, prefixAttention),
            Map.entry(CausalConvKernel.class, new OpenClCausalConv(context)),
            Map.entry(ProbeKernel.class, new OpenClProbe(context)));
  }

  ClContext context() {
    return context;
  }

  @Override
  public String providerId() {
    return OpenClProvider.ID;
  }

  @Override
  public String description() {
    return context.device().description();
  }

  @Override
  public int threads() {
    return context.device().computeUnits();
  }

  @Override
  public <K extends Kernel<?>> Optional<K> kernel(Class<K> kind) {
    return Optional.ofNullable(kernels.get(kind)).map(kind::cast);
  }

  @Override
  public TensorArena newArena() {
    return new BufferArena(context);
  }

  @Override
  public void upload(MemorySegment source, Tensor target) {
    TensorChecks.requireTransfer("upload", source.byteSize(), target);
    context.write(source, DeviceMemory.of("the target", target, context), target.byteOffset());
  }

  @Override
  public void download(Tensor source, MemorySegment target) {
    TensorChecks.requireTransfer("download", target.byteSize(), source);
    context.read(DeviceMemory.of("the source", source, context), source.byteOffset(), target);
  }

  @Override
  public void close() {
    embedding.close();
    topK.close();
    prefixAttention.close();
    context.close();
  }
}
