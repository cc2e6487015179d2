package io.attention4j.benchmarks.recurrent;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;

/** Random inputs of a scan, and its state, which goes on from run to run. */
public final class ScanProblem implements AutoCloseable {
  private final Device device;
  private final Device.TensorArena arena;
  private final LinearScanSpec spec;
  private final LinearScanKernel kernel;
  private final LinearScanInputs inputs;
  private final Tensor state;
  private final Tensor out;
  private final int rows;

  /**
   * A problem with decays of e^-0.1 to 1 a token and keys of about unit length, as after the norm
   * of the delta family.
   *
   * @throws IllegalArgumentException if no kernel takes it
   */
  public ScanProblem(KernelSelector kernels, ScanKind kind, int heads, int dim, int rows) {
    this.rows = rows;
    device = kernels.device();
    arena = device.newArena();
    spec = kind.spec(heads, dim);
    kernel = kernels.select(LinearScanKernel.class, spec);
    SplittableRandom random = new SplittableRandom(1);
    int width = heads * dim;
    double unit = Math.sqrt(3.0 / dim);
    Tensor decay =
        spec.decay() == Decay.NONE
            ? null
            : uniform(random, spec.decay() == Decay.KEY ? width : heads, -0.1, 0);
    float[] read = spec.write() == Write.LOW_RANK ? values(random, width, -unit, unit) : null;
    inputs =
        new LinearScanInputs(
            uniform(random, width, -1, 1),
            uniform(random, width, -unit, unit),
            uniform(random, width, -1, 1),
            decay,
            spec.write() == Write.DELTA ? uniform(random, heads, 0, 1) : null,
            read == null ? null : tensor(read, width),
            read == null ? null : tensor(erasing(read, dim), width));
    state = arena.allocate(DType.F32, heads, dim, dim);
    out = arena.allocate(DType.F32, rows, width);
  }

  private Tensor uniform(SplittableRandom random, int width, double from, double to) {
    return tensor(values(random, width, from, to), width);
  }

  private float[] values(SplittableRandom random, int width, double from, double to) {
    float[] values = new float[rows * width];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(from, to);
    }
    return values;
  }

  /** What takes half of a recalled value away again, as in RWKV-7; others may grow without end. */
  private static float[] erasing(float[] read, int dim) {
    float[] write = new float[read.length];
    for (int head = 0; head < read.length; head += dim) {
      double squares = 0;
      for (int i = head; i < head + dim; i++) {
        squares += (double) read[i] * read[i];
      }
      for (int i = head; i < head + dim; i++) {
        write[i] = (float) (-0.5 * read[i] / squares);
      }
    }
    return write;
  }

  private Tensor tensor(float[] values, int width) {
    Tensor tensor = arena.allocate(DType.F32, rows, width);
    try (Arena host = Arena.ofConfined()) {
      device.upload(Tensor.ofFloats(host, values, rows, width).segment(), tensor);
    }
    return tensor;
  }

  /** All rows. */
  public void run() {
    kernel.run(spec, inputs, rows, state, out);
  }

  /** One row. */
  public void step() {
    kernel.run(spec, inputs, 1, state, out);
  }

  /** The present state. */
  float[] state() {
    return state.toFloats();
  }

  /** Goes back to a state. */
  void restore(float[] values) {
    try (Arena host = Arena.ofConfined()) {
      device.upload(Tensor.ofFloats(host, values, values.length).segment(), state);
    }
  }

  /** The largest magnitude in the state, so that nothing measured was infinite. */
  public float largest() {
    float largest = 0;
    for (float value : state.toFloats()) {
      largest = Float.isFinite(value) ? Math.max(largest, Math.abs(value)) : Float.NaN;
    }
    return largest;
  }

  @Override
  public void close() {
    arena.close();
  }
}
