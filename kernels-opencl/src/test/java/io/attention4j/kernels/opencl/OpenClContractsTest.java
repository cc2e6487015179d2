package io.attention4j.kernels.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.testkit.ActivationKernelContract;
import io.attention4j.testkit.AttentionIdentitiesContract;
import io.attention4j.testkit.AttentionKernelContract;
import io.attention4j.testkit.CausalConvKernelContract;
import io.attention4j.testkit.ElementwiseKernelContract;
import io.attention4j.testkit.EmbeddingKernelContract;
import io.attention4j.testkit.KvWriteKernelContract;
import io.attention4j.testkit.LinearScanKernelContract;
import io.attention4j.testkit.MatmulKernelContract;
import io.attention4j.testkit.NormKernelContract;
import io.attention4j.testkit.PrefixAttentionKernelContract;
import io.attention4j.testkit.RopeKernelContract;
import io.attention4j.testkit.SoftmaxKernelContract;
import io.attention4j.testkit.TopKKernelContract;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.ExtendWith;

/** Every contract, on the device that this machine has. */
@ExtendWith(NeedsOpenCl.class)
class OpenClContractsTest {
  private static final CountingCl CL = new CountingCl(new JoclApi());

  @AfterAll
  static void nothingIsLeft() {
    assertEquals(Map.of(), CL.live());
    System.out.println("opencl: " + CL.calls("build") + " programs were built");
  }

  @Nested
  class Activation extends ActivationKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class Elementwise extends ElementwiseKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class Embedding extends EmbeddingKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class KvWrite extends KvWriteKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class Matmul extends MatmulKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class Norm extends NormKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class Rope extends RopeKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class Softmax extends SoftmaxKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class TopK extends TopKKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class LinearScan extends LinearScanKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class PrefixAttention extends PrefixAttentionKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class CausalConv extends CausalConvKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class Attention extends AttentionKernelContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }

  @Nested
  class AttentionIdentities extends AttentionIdentitiesContract {
    @Override
    protected KernelProvider provider() {
      return new OpenClProvider(CL);
    }
  }
}
