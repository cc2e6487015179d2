package io.attention4j.kernels.cpu.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.AttentionSpec.SelectionKind;
import io.attention4j.engine.attention.BlockMask.HeadAxis;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Grouped;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.SimdProvider;
import io.attention4j.testkit.AttentionCase;
import io.attention4j.testkit.AttentionData;
import io.attention4j.testkit.AttentionData.Pages;
import io.attention4j.testkit.AttentionFixture;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Once compiled, a run allocates nothing: no boxed vector, no iterator, no scratch memory. */
@EnabledIf("io.attention4j.kernels.cpu.simd.VectorWidths#available")
class AttentionAllocationTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final int RUNS = 10;
  private static final long PATIENCE_NANOS = TimeUnit.MINUTES.toNanos(3);

  static Stream<AttentionCase> cases() {
    return Stream.of(
            AttentionCase.of("decode-f16", spec(KvFormat.F16)).sequence(1, 700),
            AttentionCase.of("decode-q8", spec(KvFormat.Q8)).sequence(1, 300).pages(Pages.of(16)),
            AttentionCase.of("decode-q4", spec(KvFormat.Q4)).sequence(1, 300).pages(Pages.of(16)),
            AttentionCase.of("decode-staircase", staircase()).sequence(1, 300).pages(Pages.of(64)),
            AttentionCase.of("prefill-f16", spec(KvFormat.F16)).sequence(40, 150),
            AttentionCase.of("blocks", spec(KvFormat.F32).selection(SelectionKind.BLOCKS))
                .sequence(2, 300)
                .blocks(1, 16, HeadAxis.KV_HEAD),
            AttentionCase.of("gathered", spec(KvFormat.BF16).selection(SelectionKind.GATHERED))
                .sequence(2, 300)
                .gather(2, 100, true))
        .map(AttentionCase.Builder::build);
  }

  private static AttentionSpec.Builder staircase() {
    Grouped keys = new Grouped(2, Grouped.Axis.CHANNEL, 32);
    Grouped values = new Grouped(4, Grouped.Axis.TOKEN, 32);
    KvFormat.Plain newest = (KvFormat.Plain) KvFormat.F16;
    return AttentionSpec.builder(4, 1, 72)
        .formats(
            new KvFormat.Staircase(newest, List.of(keys)),
            new KvFormat.Staircase(newest, List.of(values)));
  }

  private static AttentionSpec.Builder spec(KvFormat format) {
    return AttentionSpec.builder(4, 1, 72).formats(format, format);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aRunAllocatesNothing(AttentionCase attentionCase) {
    AttentionData data = attentionCase.data();
    try (Device device = new SimdProvider().open(new DeviceOptions(1));
        Arena arena = Arena.ofConfined();
        AttentionFixture fixture = new AttentionFixture(device, data);
        AttentionPlan plan = device.kernel(AttentionKernel.class).orElseThrow().plan(data.spec())) {
      Tensor out =
          Tensor.allocate(
              arena, DType.F32, data.totalRows(), data.spec().queryHeads(), data.spec().valueDim());
      AttentionOutputs outputs = new AttentionOutputs(out, null);
      long best = Long.MAX_VALUE;
      // Vectors are boxed until C2 has compiled all loops, which a busy machine delays.
      long end = System.nanoTime() + PATIENCE_NANOS;
      while (best > 0 && System.nanoTime() < end) {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        for (int run = 0; run < RUNS; run++) {
          plan.run(fixture.batch(), fixture.inputs(), outputs);
        }
        best = Math.min(best, THREADS.getCurrentThreadAllocatedBytes() - before);
      }
      assertEquals(0, best, "bytes allocated by " + RUNS + " runs");
    }
  }
}
