package io.attention4j.benchmarks.peers;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import io.attention4j.benchmarks.peer.AttentionPeer;
import io.attention4j.benchmarks.peer.TorchScriptAttentionModel;
import java.io.ByteArrayInputStream;
import java.io.IOException;

/** {@code torch.scaled_dot_product_attention}. */
final class LibTorchAttention implements AttentionPeer {
  @Override
  public String name() {
    return "libtorch SDPA";
  }

  @Override
  public Run open(Task task, float[] q, float[] k, float[] v) {
    try {
      return new TorchRun(task, q, k, v);
    } catch (IOException | MalformedModelException e) {
      throw new IllegalStateException(name() + " refuses " + task + ": " + e.getMessage(), e);
    }
  }

  private static final class TorchRun implements Run {
    private final Model model;
    private final NDManager manager;
    private final Predictor<NDList, NDList> predictor;
    private final NDList inputs;
    private NDList result;

    TorchRun(Task task, float[] q, float[] k, float[] v)
        throws IOException, MalformedModelException {
      model = Model.newInstance("attention", LibTorch.ENGINE);
      model.load(new ByteArrayInputStream(TorchScriptAttentionModel.bytes(task.causal())));
      predictor = model.newPredictor(new NoopTranslator());
      manager = model.getNDManager().newSubManager();
      Shape shape = new Shape(1, task.heads(), task.length(), task.headDim());
      inputs = new NDList(array(q, shape), array(k, shape), array(v, shape));
    }

    private NDArray array(float[] values, Shape shape) {
      return manager.create(values, shape);
    }

    @Override
    public void run() {
      if (result != null) {
        result.close();
      }
      try {
        result = predictor.predict(inputs);
      } catch (TranslateException e) {
        throw new IllegalStateException(e);
      }
    }

    @Override
    public float[] output() {
      return result.singletonOrThrow().toFloatArray();
    }

    @Override
    public void close() {
      if (result != null) {
        result.close();
      }
      predictor.close();
      manager.close();
      model.close();
    }
  }
}
