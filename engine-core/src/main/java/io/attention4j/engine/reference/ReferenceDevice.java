package io.attention4j.engine.reference;

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
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.SelectiveScanKernel;
import io.attention4j.engine.spi.SoftmaxKernel;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.spi.TopKKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Optional;

/** Host memory and the reference kernels. */
final class ReferenceDevice implements Device {
  private final Map<Class<?>, Kernel<?>> kernels =
      Map.ofEntries(
          Map.entry(AttentionKernel.class, new ReferenceAttention()),
          Map.entry(MatmulKernel.class, new ReferenceMatmul()),
          Map.entry(NormKernel.class, new ReferenceNorm()),
          Map.entry(RopeKernel.class, new ReferenceRope()),
          Map.entry(ActivationKernel.class, new ReferenceActivation()),
          Map.entry(ElementwiseKernel.class, new ReferenceElementwise()),
          Map.entry(SoftmaxKernel.class, new ReferenceSoftmax()),
          Map.entry(TopKKernel.class, new ReferenceTopK()),
          Map.entry(EmbeddingKernel.class, new ReferenceEmbedding()),
          Map.entry(KvWriteKernel.class, new ReferenceKvWrite()),
          Map.entry(PrefixAttentionKernel.class, new ReferencePrefixAttention()),
          Map.entry(LinearScanKernel.class, new ReferenceLinearScan()),
          Map.entry(SelectiveScanKernel.class, new ReferenceSelectiveScan()),
          Map.entry(CausalConvKernel.class, new ReferenceCausalConv()));

  @Override
  public String providerId() {
    return ReferenceProvider.ID;
  }

  @Override
  public String description() {
    return "float64 reference kernels, one thread";
  }

  @Override
  public int threads() {
    return 1;
  }

  @Override
  public <K extends Kernel<?>> Optional<K> kernel(Class<K> kind) {
    return Optional.ofNullable(kernels.get(kind)).map(kind::cast);
  }

  @Override
  public TensorArena newArena() {
    return new HostArena(Arena.ofShared());
  }

  @Override
  public void upload(MemorySegment source, Tensor target) {
    TensorChecks.requireTransfer("upload", source.byteSize(), target);
    MemorySegment.copy(source, 0, target.segment(), 0, target.byteSize());
  }

  @Override
  public void download(Tensor source, MemorySegment target) {
    TensorChecks.requireTransfer("download", target.byteSize(), source);
    MemorySegment.copy(source.segment(), 0, target, 0, source.byteSize());
  }

  @Override
  public void close() {}

  private record HostArena(Arena arena) implements TensorArena {
    @Override
    public Tensor allocate(DType dtype, long... extents) {
      return Tensor.allocate(arena, dtype, extents);
    }

    @Override
    public void close() {
      arena.close();
    }
  }
}
