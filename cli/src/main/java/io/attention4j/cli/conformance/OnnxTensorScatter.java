package io.attention4j.cli.conformance;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.tensor.Tensor;
import java.util.Map;

/**
 * ONNX {@code TensorScatter}: writes updates into a cache, {@code circular} ones around its end.
 */
final class OnnxTensorScatter implements OnnxOperator {
  @Override
  public Map<String, double[]> compute(OnnxCase c, KernelSelector kernels) {
    OnnxTensor past = c.input("past_cache");
    OnnxTensor update = c.input("update");
    OnnxTensor indices = c.inputs().get("write_indices");
    if (c.integer("axis", -2) != -2 || past.rank() < 3 || past.rank() > 4) {
      throw new SkippedCaseException("TensorScatter of another axis than -2 of rank 3 or 4");
    }
    boolean circular = c.word("mode", "linear").equals("circular");
    int batch = past.extent(0);
    int heads = past.rank() == 4 ? past.extent(1) : 1;
    int slots = past.extent(-2);
    int count = update.extent(-2);
    int dim = past.extent(-1);
    try (DeviceData data = new DeviceData(kernels.device())) {
      PagedCache cache =
          new PagedCache(
              kernels, data, past.dtype().equals("float16"), batch, heads, slots, dim, dim);
      Tensor old = data.floats(past.rowsFirst(heads), batch * slots, heads, dim);
      Tensor rows = data.floats(update.rowsFirst(heads), batch * count, heads, dim);
      for (int s = 0; s < batch; s++) {
        cache.write(s, old, old, s * slots, slots, 0);
        int slot = indices == null ? 0 : (int) indices.values()[s];
        int last = circular ? slots - 1 : slots - count;
        if (slot < 0 || count > slots || slot > last) {
          throw new IllegalArgumentException(
              count + " rows at index " + slot + " do not fit a cache of " + slots);
        }
        int before = Math.min(count, slots - slot);
        cache.write(s, rows, rows, s * count, before, slot);
        cache.write(s, rows, rows, s * count + before, count - before, 0);
      }
      return Map.of("present_cache", cache.keys(data));
    }
  }
}
