package io.attention4j.benchmarks.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.attention4j.benchmarks.peer.AttentionPeer;
import io.attention4j.benchmarks.peer.OnnxAttentionModel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Map;

/** One of ONNX Runtime's attention operators; inputs and output stay in fixed buffers. */
final class OnnxRuntimeAttention implements AttentionPeer {
  private final String name;
  private final OnnxAttentionModel.Operator operator;
  private final int threads;

  OnnxRuntimeAttention(String name, OnnxAttentionModel.Operator operator, int threads) {
    this.name = name;
    this.operator = operator;
    this.threads = threads;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Run open(Task task, float[] q, float[] k, float[] v) {
    try {
      return new OnnxRun(operator, threads, task, q, k, v);
    } catch (OrtException e) {
      throw new IllegalStateException(name + " refuses " + task + ": " + e.getMessage(), e);
    }
  }

  private static final class OnnxRun implements Run {
    private final boolean headsInside;
    private final Task task;
    private final OrtSession.SessionOptions options;
    private final OrtSession session;
    private final Map<String, OnnxTensor> inputs;
    private final FloatBuffer result;
    private final OnnxTensor output;

    OnnxRun(
        OnnxAttentionModel.Operator operator,
        int threads,
        Task task,
        float[] q,
        float[] k,
        float[] v)
        throws OrtException {
      this.task = task;
      headsInside = operator == OnnxAttentionModel.Operator.MULTI_HEAD_ATTENTION;
      OrtEnvironment environment = OrtEnvironment.getEnvironment();
      options = new OrtSession.SessionOptions();
      options.setIntraOpNumThreads(threads);
      options.setInterOpNumThreads(1);
      session =
          environment.createSession(
              OnnxAttentionModel.bytes(operator, task.heads(), task.causal()), options);
      long[] shape =
          headsInside
              ? new long[] {1, task.length(), (long) task.heads() * task.headDim()}
              : new long[] {1, task.heads(), task.length(), task.headDim()};
      inputs =
          Map.of(
              "q", OnnxTensor.createTensor(environment, buffer(q), shape),
              "k", OnnxTensor.createTensor(environment, buffer(k), shape),
              "v", OnnxTensor.createTensor(environment, buffer(v), shape));
      result = direct(q.length);
      output = OnnxTensor.createTensor(environment, result, shape);
    }

    private FloatBuffer buffer(float[] byHead) {
      FloatBuffer buffer = direct(byHead.length);
      buffer.put(0, headsInside ? swapped(byHead, task.heads(), task.length()) : byHead);
      return buffer;
    }

    private static FloatBuffer direct(int elements) {
      return ByteBuffer.allocateDirect(Math.multiplyExact(elements, Float.BYTES))
          .order(ByteOrder.nativeOrder())
          .asFloatBuffer();
    }

    /** [a, b, headDim] as [b, a, headDim]. */
    private float[] swapped(float[] source, int a, int b) {
      float[] target = new float[source.length];
      int dim = task.headDim();
      for (int i = 0; i < a; i++) {
        for (int j = 0; j < b; j++) {
          System.arraycopy(source, (i * b + j) * dim, target, (j * a + i) * dim, dim);
        }
      }
      return target;
    }

    @Override
    public void run() {
      try (OrtSession.Result _ = session.run(inputs, Map.of("y", output))) {
        // The result is in the pinned output.
      } catch (OrtException e) {
        throw new IllegalStateException(e);
      }
    }

    @Override
    public float[] output() {
      float[] values = new float[result.capacity()];
      result.get(0, values);
      return headsInside ? swapped(values, task.length(), task.heads()) : values;
    }

    @Override
    public void close() {
      try {
        inputs.values().forEach(OnnxTensor::close);
        output.close();
        session.close();
        options.close();
      } catch (OrtException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
