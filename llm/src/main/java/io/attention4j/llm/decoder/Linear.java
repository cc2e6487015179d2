package io.attention4j.llm.decoder;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Matrix products that share their input and write to fixed outputs, such as q, k and v. They are
 * one plan where one kernel takes all the weights' types, else as few as possible.
 */
final class Linear implements AutoCloseable {
  /**
   * One product.
   *
   * @param weight [out, in]
   * @param bias F32 [out] or null
   * @param output F32 [&gt;= rows, out]
   */
  record Product(Tensor weight, Tensor bias, Tensor output) {}

  private final MatmulKernel.MatmulPlan[] plans;
  private final Tensor[][] outputs;

  private Linear(MatmulKernel.MatmulPlan[] plans, Tensor[][] outputs) {
    this.plans = plans;
    this.outputs = outputs;
  }

  static Linear of(KernelSelector kernels, Product... products) {
    List<MatmulKernel.MatmulPlan> plans = new ArrayList<>();
    List<Tensor[]> outputs = new ArrayList<>();
    boolean complete = false;
    try {
      for (int from = 0; from < products.length; ) {
        MatmulKernel kernel = kernel(kernels, products[from]);
        int to = from + 1;
        while (to < products.length && kernel(kernels, products[to]) == kernel) {
          to++;
        }
        List<Product> group = Arrays.asList(products).subList(from, to);
        plans.add(
            kernel.plan(
                group.stream().map(Product::weight).toList(),
                group.stream().allMatch(product -> product.bias() == null)
                    ? null
                    : group.stream().map(Product::bias).toList()));
        outputs.add(group.stream().map(Product::output).toArray(Tensor[]::new));
        from = to;
      }
      complete = true;
    } finally {
      if (!complete) {
        plans.forEach(MatmulKernel.MatmulPlan::close);
      }
    }
    return new Linear(
        plans.toArray(MatmulKernel.MatmulPlan[]::new), outputs.toArray(Tensor[][]::new));
  }

  private static MatmulKernel kernel(KernelSelector kernels, Product product) {
    Tensor weight = product.weight();
    return kernels.select(
        MatmulKernel.class, new MatmulSpec(weight.dtype(), weight.extent(0), weight.extent(1)));
  }

  /** outputs = x W^T + bias for the first rows. */
  void run(Tensor x, int rows) {
    for (int i = 0; i < plans.length; i++) {
      plans[i].run(x, rows, outputs[i], false);
    }
  }

  /** outputs += x W^T + bias for the first rows. */
  void addTo(Tensor x, int rows) {
    for (int i = 0; i < plans.length; i++) {
      plans[i].run(x, rows, outputs[i], true);
    }
  }

  long weightBytes() {
    long bytes = 0;
    for (MatmulKernel.MatmulPlan plan : plans) {
      bytes += plan.weightBytes();
    }
    return bytes;
  }

  @Override
  public void close() {
    for (MatmulKernel.MatmulPlan plan : plans) {
      plan.close();
    }
  }
}
