package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.ActivationKernelContract;
import io.attention4j.testkit.AttentionIdentitiesContract;
import io.attention4j.testkit.AttentionKernelContract;
import io.attention4j.testkit.ElementwiseKernelContract;
import io.attention4j.testkit.EmbeddingKernelContract;
import io.attention4j.testkit.KvWriteKernelContract;
import io.attention4j.testkit.MatmulKernelContract;
import io.attention4j.testkit.NormKernelContract;
import io.attention4j.testkit.RopeKernelContract;
import io.attention4j.testkit.SoftmaxKernelContract;
import io.attention4j.testkit.TopKKernelContract;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.ExtendWith;

/** Every contract, on the device that this machine has. */
@ExtendWith(NeedsOpenCl.class)
class OpenClContractsTest {
  @Nested
  class Activation extends ActivationKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class Elementwise extends ElementwiseKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class Embedding extends EmbeddingKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class KvWrite extends KvWriteKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class Matmul extends MatmulKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class Norm extends NormKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class Rope extends RopeKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class Softmax extends SoftmaxKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class TopK extends TopKKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class Attention extends AttentionKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }

  @Nested
  class AttentionIdentities extends AttentionIdentitiesContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider();
    }
  }
}
