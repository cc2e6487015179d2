package io.attention4j.engine.recurrent.metamixer;

import java.util.List;

/**
 * Depthwise convolutions of one input, each with its norm, added: one of size 3 with a bias and no
 * norm, or those of sizes 7 and 3 with norms. At inference they are one convolution.
 *
 * @param branches at least one
 */
public record ConvBranches(List<Branch> branches) {
  /**
   * A convolution and the norm behind it, or null.
   *
   * @param norm of as many channels as the convolution
   */
  public record Branch(DepthwiseConv conv, BatchNorm norm) {
    /** Checks the channels. */
    public Branch {
      if (norm != null && norm.channels() != conv.channels()) {
        throw new IllegalArgumentException(
            "a norm of "
                + norm.channels()
                + " channels does not fit a convolution of "
                + conv.channels());
      }
    }

    private FeatureMap apply(FeatureMap x) {
      return norm == null ? conv.apply(x) : norm.apply(conv.apply(x));
    }

    private DepthwiseConv fused() {
      return norm == null ? conv : norm.foldAfter(conv);
    }
  }

  /** Checks that there are branches and that they fit each other. */
  public ConvBranches {
    branches = List.copyOf(branches);
    int first = branches.isEmpty() ? 0 : branches.getFirst().conv().channels();
    if (first == 0 || branches.stream().anyMatch(b -> b.conv().channels() != first)) {
      throw new IllegalArgumentException(
          "convolutions that are added must be at least one and of equally many channels");
    }
  }

  /** One convolution without a norm. */
  public static ConvBranches of(DepthwiseConv conv) {
    return new ConvBranches(List.of(new Branch(conv, null)));
  }

  /** The sum of the branches. */
  public FeatureMap apply(FeatureMap x) {
    FeatureMap sum = branches.getFirst().apply(x);
    for (Branch branch : branches.subList(1, branches.size())) {
      sum = sum.plus(branch.apply(x), null);
    }
    return sum;
  }

  /** The branches as one convolution. */
  public DepthwiseConv fused() {
    return branches.stream().map(Branch::fused).reduce(DepthwiseConv::sum).orElseThrow();
  }
}
