package io.attention4j.kernels.cpu;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.ProbeKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Quick timings of the matrix kernels beside probes of the machine; no test, and no benchmark to
 * quote. Arguments: threads, rows of x (1 for decoding), seconds per line, then weight types. One
 * thread is timed by its CPU time, which other load on the machine distorts less.
 */
public final class MatmulTimings {
  /** Types with an encoder; the others get random bytes. */
  private static final Set<DType> ENCODED =
      EnumSet.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0, DType.Q4_0, DType.Q4_K, DType.Q6_K);

  private MatmulTimings() {}

  /** Prints best and median of repeated runs. */
  public static void main(String[] args) {
    int threads = args.length > 0 ? Integer.parseInt(args[0]) : 2;
    int rows = args.length > 1 ? Integer.parseInt(args[1]) : 1;
    double seconds = args.length > 2 ? Double.parseDouble(args[2]) : 2;
    List<DType> types = new ArrayList<>();
    for (String name : Arrays.asList(args).subList(Math.min(3, args.length), args.length)) {
      types.add(DType.valueOf(name));
    }
    if (types.isEmpty()) {
      types = List.of(DType.Q8_0, DType.F16, DType.BF16, DType.Q4_0, DType.Q4_K, DType.Q6_K);
    }
    KernelProvider provider = new SimdProvider();
    try (Device device = provider.open(new DeviceOptions(threads))) {
      System.out.println(device.description() + ", " + rows + " rows of x");
      probes(device);
      for (DType type : types) {
        time(device, type, 2048, 8192, rows, seconds);
        if (rows == 1) {
          time(device, type, 128256, 2048, rows, seconds);
        } else {
          time(device, type, 8192, 2048, rows, seconds);
        }
      }
      probes(device);
    }
  }

  private static void probes(Device device) {
    ProbeKernel probe = device.kernel(ProbeKernel.class).orElseThrow();
    System.out.printf(
        "probe: read %.1f GB/s, FMA %.1f GFLOP/s%n",
        probe.measure(ProbeKernel.Limit.READ_BANDWIDTH, Duration.ofMillis(700)) / 1e9,
        probe.measure(ProbeKernel.Limit.FMA_PEAK, Duration.ofMillis(300)) / 1e9);
  }

  private static void time(Device device, DType type, int out, int in, int rows, double seconds) {
    try (Device.TensorArena arena = device.newArena()) {
      // Decoding walks copies that together exceed every cache, as the layers of a model do.
      int copies = rows > 1 ? 1 : (int) Math.max(1, (160L << 20) / type.bytes((long) out * in));
      List<Tensor> weights = new ArrayList<>();
      for (int i = 0; i < copies; i++) {
        weights.add(i == 0 ? random(arena, type, out, in) : copy(arena, weights.getFirst()));
      }
      Tensor x = arena.allocate(DType.F32, rows, in);
      SplittableRandom random = new SplittableRandom(7);
      for (long i = 0; i < (long) rows * in; i++) {
        x.segment().setAtIndex(Tensor.FLOAT, i, (float) random.nextDouble(-1, 1));
      }
      Tensor[] outputs = {arena.allocate(DType.F32, rows, out)};
      MatmulKernel kernel = device.kernel(MatmulKernel.class).orElseThrow();
      List<MatmulKernel.MatmulPlan> plans = new ArrayList<>();
      long planStart = System.nanoTime();
      for (Tensor weight : weights) {
        plans.add(kernel.plan(List.of(weight), null));
      }
      double planMillis = (System.nanoTime() - planStart) / 1e6;
      List<Double> nanos = new ArrayList<>();
      long end = System.nanoTime() + (long) (seconds * 1e9);
      for (int i = 0; System.nanoTime() < end || i < 3 * plans.size(); i++) {
        long start = nanos(device);
        plans.get(i % plans.size()).run(x, rows, outputs, false);
        nanos.add((double) (nanos(device) - start));
      }
      List<Double> warm = new ArrayList<>(nanos.subList(nanos.size() / 3, nanos.size()));
      warm.sort(null);
      double units = rows == 1 ? type.bytes((long) out * in) : 2.0 * rows * out * in;
      System.out.printf(
          "%-5s %6d x %5d: best %6.1f, median %6.1f %s; plan %.0f ms%n",
          type,
          out,
          in,
          units / warm.getFirst(),
          units / warm.get(warm.size() / 2),
          rows == 1 ? "GB/s" : "GFLOP/s",
          planMillis / plans.size());
      plans.forEach(MatmulKernel.MatmulPlan::close);
    }
  }

  private static long nanos(Device device) {
    return device.threads() == 1
        ? ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime()
        : System.nanoTime();
  }

  private static Tensor copy(Device.TensorArena arena, Tensor source) {
    Tensor copy = arena.allocate(source.dtype(), source.extent(0), source.extent(1));
    MemorySegment.copy(source.segment(), 0, copy.segment(), 0, source.byteSize());
    return copy;
  }

  private static Tensor random(Device.TensorArena arena, DType type, int out, int in) {
    Tensor weight = arena.allocate(type, out, in);
    SplittableRandom random = new SplittableRandom(1);
    float[] row = new float[in];
    boolean encodes = ENCODED.contains(type);
    RowCodec codec = RowCodec.of(type);
    long rowBytes = type.bytes(in);
    for (int r = 0; r < out; r++) {
      if (r < 64) {
        if (!encodes) {
          for (long at = r * rowBytes; at < (r + 1) * rowBytes; at++) {
            // Bytes that form no infinite or NaN F16.
            weight.segment().set(ValueLayout.JAVA_BYTE, at, (byte) (random.nextInt() & 0x3b));
          }
          continue;
        }
        for (int i = 0; i < in; i++) {
          row[i] = (float) random.nextDouble(-1, 1);
        }
        codec.encode(row, 0, weight.segment(), r * rowBytes, in);
      } else {
        MemorySegment.copy(
            weight.segment(), (r % 64) * rowBytes, weight.segment(), r * rowBytes, rowBytes);
      }
    }
    return weight;
  }
}
