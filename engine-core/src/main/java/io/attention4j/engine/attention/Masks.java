package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.ValueLayout;

/** What masks and additive biases mean, pair by pair; kernels with faster ways must agree. */
public final class Masks {
  private Masks() {}

  /**
   * Whether a row sees a key. Arguments must lie inside the batch; allocates nothing.
   *
   * @param row of the sequence, from 0; its position is firstPosition + row
   * @param slot of the key, counted over all pages of the (sequence, KV head)
   * @param keyPosition from the key's page
   */
  public static boolean visible(
      Mask mask,
      AttentionBatch batch,
      int sequence,
      int queryHead,
      int row,
      long slot,
      long keyPosition) {
    long queryPosition = batch.firstPosition(sequence) + row;
    return switch (mask) {
      case Mask.All all -> true;
      case Mask.Causal causal -> keyPosition <= queryPosition;
      case Mask.Window window ->
          queryPosition - keyPosition <= window.left()
              && keyPosition - queryPosition <= window.right();
      case Mask.Prefix prefix ->
          keyPosition <= queryPosition || keyPosition < batch.prefixLength(sequence);
      case Mask.Global global -> keyPosition < global.tokens() || queryPosition < global.tokens();
      case Mask.Document document -> {
        int[] documents = batch.documents(sequence);
        yield queryPosition >= 0 && documents[(int) queryPosition] == documents[(int) keyPosition];
      }
      case Mask.Bits bits -> bit(batch.maskBits(), sequence, queryHead, row, slot);
      case Mask.AllOf all -> {
        boolean visible = true;
        for (int i = 0; visible && i < all.parts().size(); i++) {
          visible = visible(all.parts().get(i), batch, sequence, queryHead, row, slot, keyPosition);
        }
        yield visible;
      }
      case Mask.AnyOf any -> {
        boolean visible = false;
        for (int i = 0; !visible && i < any.parts().size(); i++) {
          visible = visible(any.parts().get(i), batch, sequence, queryHead, row, slot, keyPosition);
        }
        yield visible;
      }
      case Mask.Custom custom ->
          custom.visibility().visible(sequence, queryHead, queryPosition, keyPosition);
    };
  }

  /** The entry of {@link AttentionBatch#bias} for a pair; dimensions of extent 1 repeat. */
  public static float bias(AttentionBatch batch, int sequence, int queryHead, int row, long slot) {
    Tensor bias = batch.bias();
    long offset = broadcastOffset(bias, sequence, queryHead, row, slot);
    return bias.segment().getAtIndex(Tensor.FLOAT, offset);
  }

  /** Whether the mask is, or contains, a {@link Mask.Bits}. */
  public static boolean usesBits(Mask mask) {
    return switch (mask) {
      case Mask.Bits bits -> true;
      case Mask.AllOf all -> all.parts().stream().anyMatch(Masks::usesBits);
      case Mask.AnyOf any -> any.parts().stream().anyMatch(Masks::usesBits);
      default -> false;
    };
  }

  /** Whether the mask is, or contains, a {@link Mask.Document}. */
  public static boolean usesDocuments(Mask mask) {
    return switch (mask) {
      case Mask.Document document -> true;
      case Mask.AllOf all -> all.parts().stream().anyMatch(Masks::usesDocuments);
      case Mask.AnyOf any -> any.parts().stream().anyMatch(Masks::usesDocuments);
      default -> false;
    };
  }

  private static boolean bit(Tensor bits, int sequence, int queryHead, int row, long slot) {
    if (slot >= bits.extent(3)) {
      return false;
    }
    long offset = sequenceRow(bits, sequence, queryHead, row) + slot * bits.stride(3);
    return bits.segment().get(ValueLayout.JAVA_BYTE, offset) != 0;
  }

  private static long broadcastOffset(
      Tensor tensor, int sequence, int queryHead, int row, long slot) {
    return sequenceRow(tensor, sequence, queryHead, row)
        + (tensor.extent(3) == 1 ? 0 : slot * tensor.stride(3));
  }

  private static long sequenceRow(Tensor tensor, int sequence, int queryHead, int row) {
    return (tensor.extent(0) == 1 ? 0 : sequence * tensor.stride(0))
        + (tensor.extent(1) == 1 ? 0 : queryHead * tensor.stride(1))
        + (tensor.extent(2) == 1 ? 0 : row * tensor.stride(2));
  }
}
