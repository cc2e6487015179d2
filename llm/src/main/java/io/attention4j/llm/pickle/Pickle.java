package io.attention4j.llm.pickle;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a pickle describes, as data. Compared by identity where it can contain itself. Other values
 * are {@link String}, {@link Long}, {@link Double}, {@link Boolean} and {@link #NONE}.
 */
final class Pickle {
  /** Python's None. */
  static final Object NONE = new Object();

  private Pickle() {}

  /** A dict of any class; keys that are not strings or integers are refused when read. */
  static final class Dict {
    final Map<Object, Object> entries = new LinkedHashMap<>();
  }

  /** A list or set. */
  static final class Sequence {
    final List<Object> items = new ArrayList<>();
  }

  /** A tuple. */
  static final class Tuple {
    final List<Object> items;

    Tuple(List<Object> items) {
      this.items = items;
    }
  }

  /** A class or function by name; never looked up. */
  record Global(String module, String name) {
    @Override
    public String toString() {
      return module + "." + name;
    }
  }

  /**
   * A storage.
   *
   * @param type its class, such as torch.FloatStorage
   * @param key name of its bytes in the archive
   * @param elements elements that it claims
   */
  record StorageRef(Global type, String key, long elements) {}

  /** A strided view of a storage. */
  record TensorRef(StorageRef storage, long offset, long[] extents, long[] strides) {}

  /** An object of a class that means nothing here; its state is dropped. */
  record Opaque(Global type) {}
}
