package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.matmul.BandedPlan;
import io.attention4j.kernels.cpu.matmul.Bands;
import io.attention4j.kernels.cpu.matmul.MatmulSupport;
import io.attention4j.kernels.cpu.rows.HostMemory;
import io.attention4j.kernels.cpu.rows.RowDecoder;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Matrix products in plain loops: each weight row is decoded once and multiplied by all rows. */
final class ScalarMatmul implements MatmulKernel {
  private static final int BAND_ROWS = 16;

  private final Parallel workers;
  private final float[][] decoded;
  private final float[][] sums;
  private float[] input = new float[0];

  ScalarMatmul(Parallel workers) {
    this.workers = workers;
    this.decoded = new float[workers.threads()][0];
    this.sums = new float[workers.threads()][BAND_ROWS];
  }

  @Override
  public Support supports(MatmulSpec spec) {
    return MatmulSupport.of(spec);
  }

  @Override
  public MatmulPlan plan(List<Tensor> weights, List<Tensor> biases) {
    return new Plan(weights, biases);
  }

  private final class Plan extends BandedPlan {
    private final Bands bands;
    private final RowDecoder[] decoders;
    private int rows;

    Plan(List<Tensor> weights, List<Tensor> biases) {
      super(weights, biases, workers, ScalarMatmul.this);
      bands = Bands.of(weights, weight -> BAND_ROWS);
      decoders = weights.stream().map(w -> RowDecoder.plain(w.dtype())).toArray(RowDecoder[]::new);
    }

    @Override
    protected void multiply(Tensor x, int runRows) {
      rows = runRows;
      int in = inFeatures();
      int elements = Math.multiplyExact(rows, in);
      if (input.length < elements) {
        input = new float[elements];
      }
      MemorySegment.copy(HostMemory.of(x), Tensor.FLOAT, x.byteOffset(), input, 0, elements);
      for (int i = 0; i < decoded.length; i++) {
        if (decoded[i].length < BAND_ROWS * in) {
          decoded[i] = new float[BAND_ROWS * in];
        }
      }
      forAll(bands.count());
    }

    @Override
    public void run(int band, int worker) {
      int index = bands.weight(band);
      Tensor weight = weight(index);
      int in = inFeatures();
      float[] w = decoded[worker];
      for (int i = 0; i < bands.rows(band); i++) {
        long at = rowAt(weight, bands.firstRow(band) + i);
        decoders[index].decode(HostMemory.of(weight), at, w, i * in, in);
      }
      for (int r = 0; r < rows; r++) {
        for (int i = 0; i < bands.rows(band); i++) {
          sums[worker][i] = dot(w, i * in, input, r * in, in);
        }
        store(index, r, bands.firstRow(band), bands.rows(band), sums[worker], 0);
      }
    }

    /** Eight sums, so that additions do not wait for each other. */
    private static float dot(float[] a, int aAt, float[] b, int bAt, int count) {
      float s0 = 0;
      float s1 = 0;
      float s2 = 0;
      float s3 = 0;
      float s4 = 0;
      float s5 = 0;
      float s6 = 0;
      float s7 = 0;
      int i = 0;
      for (; i + 8 <= count; i += 8) {
        s0 += a[aAt + i] * b[bAt + i];
        s1 += a[aAt + i + 1] * b[bAt + i + 1];
        s2 += a[aAt + i + 2] * b[bAt + i + 2];
        s3 += a[aAt + i + 3] * b[bAt + i + 3];
        s4 += a[aAt + i + 4] * b[bAt + i + 4];
        s5 += a[aAt + i + 5] * b[bAt + i + 5];
        s6 += a[aAt + i + 6] * b[bAt + i + 6];
        s7 += a[aAt + i + 7] * b[bAt + i + 7];
      }
      for (; i < count; i++) {
        s0 += a[aAt + i] * b[bAt + i];
      }
      return s0 + s4 + (s1 + s5) + (s2 + s6 + (s3 + s7));
    }
  }
}
