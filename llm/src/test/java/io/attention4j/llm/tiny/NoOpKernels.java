package io.attention4j.llm.tiny;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.spi.ActivationKernel;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.Kernel;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.spi.NormKernel;
import io.attention4j.engine.spi.NormSpec;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Kernels that compute nothing, so that what a test measures is the decoder around them. Found by
 * ServiceLoader under {@link #ID}, never chosen automatically.
 */
public final class NoOpKernels implements KernelProvider {
  public static final String ID = "test.noop";

  private static final List<Kernel<?>> KERNELS =
      List.of(
          new NoAttention(),
          new NoMatmul(),
          new NoKvWrite(),
          new NoActivation(),
          new NoElementwise(),
          new NoEmbedding(),
          new NoNorm(),
          new NoRope());

  @Override
  public String id() {
    return ID;
  }

  @Override
  public int rank() {
    return -1;
  }

  @Override
  public Availability availability() {
    return new Availability.Available("computes nothing");
  }

  @Override
  public Device open(DeviceOptions options) {
    return new NoDevice();
  }

  private static final class NoDevice implements Device {
    @Override
    public String providerId() {
      return ID;
    }

    @Override
    public String description() {
      return "computes nothing";
    }

    @Override
    public int threads() {
      return 1;
    }

    @Override
    public <K extends Kernel<?>> Optional<K> kernel(Class<K> kind) {
      Stream<Kernel<?>> kernels = KERNELS.stream();
      return kernels.filter(kind::isInstance).findFirst().map(kind::cast);
    }

    @Override
    public TensorArena newArena() {
      return new HostArena(Arena.ofShared());
    }

    @Override
    public void upload(MemorySegment source, Tensor target) {
      MemorySegment.copy(source, 0, target.segment(), 0, target.byteSize());
    }

    @Override
    public void download(Tensor source, MemorySegment target) {
      MemorySegment.copy(source.segment(), 0, target, 0, source.byteSize());
    }

    @Override
    public void close() {}
  }

  private record HostArena(Arena arena) implements Device.TensorArena {
    @Override
    public Tensor allocate(DType dtype, long... extents) {
      return Tensor.allocate(arena, dtype, extents);
    }

    @Override
    public void close() {
      arena.close();
    }
  }

  private record NoAttention() implements AttentionKernel, AttentionPlan {
    @Override
    public Support supports(AttentionSpec spec) {
      return Support.YES;
    }

    @Override
    public AttentionPlan plan(AttentionSpec spec) {
      return this;
    }

    @Override
    public void run(AttentionBatch batch, AttentionInputs in, AttentionOutputs out) {}

    @Override
    public void close() {}
  }

  private record NoMatmul() implements MatmulKernel, MatmulKernel.MatmulPlan {
    @Override
    public Support supports(MatmulSpec spec) {
      return Support.YES;
    }

    @Override
    public MatmulPlan plan(List<Tensor> weights, List<Tensor> biases) {
      return this;
    }

    @Override
    public void run(Tensor x, int rows, Tensor[] outputs, boolean accumulate) {}

    @Override
    public long weightBytes() {
      return 0;
    }

    @Override
    public void close() {}
  }

  private record NoKvWrite() implements KvWriteKernel {
    @Override
    public Support supports(KvFormat spec) {
      return Support.YES;
    }

    @Override
    public void write(Tensor k, Tensor v, int row, int count, int kvHead, KvPage page, int slot) {}
  }

  private record NoActivation() implements ActivationKernel {
    @Override
    public Support supports(ActivationKernel.Function spec) {
      return Support.YES;
    }

    @Override
    public void run(Function function, Tensor x, Tensor gated, Tensor out, long elements) {}
  }

  private record NoElementwise() implements ElementwiseKernel {
    @Override
    public Support supports(ElementwiseKernel.Operation spec) {
      return Support.YES;
    }

    @Override
    public void run(Operation operation, Tensor x, Tensor y, float scalar, long elements) {}
  }

  private record NoEmbedding() implements EmbeddingKernel {
    @Override
    public Support supports(DType spec) {
      return Support.YES;
    }

    @Override
    public void run(Tensor table, int[] ids, int rows, Tensor out) {}
  }

  private record NoNorm() implements NormKernel {
    @Override
    public Support supports(NormSpec spec) {
      return Support.YES;
    }

    @Override
    public void run(NormSpec spec, Tensor x, int rows, Tensor weight, Tensor bias, Tensor out) {}
  }

  private record NoRope() implements RopeKernel {
    @Override
    public Support supports(RopeSpec spec) {
      return Support.YES;
    }

    @Override
    public void run(RopeSpec spec, Tensor x, int rows, Tensor cos, Tensor sin) {}
  }
}
