package io.attention4j.llm.pickle;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.llm.format.ModelFormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads a pickle as a description: a small stack machine that builds data and calls nothing. Of all
 * functions that a pickle may name three mean something, PyTorch's two that rebuild tensors and
 * OrderedDict; whatever another would give is {@link Pickle.Opaque}.
 *
 * <p>Every length is checked against the bytes that are left, so a file cannot ask for more memory
 * than a few times its size.
 *
 * @see <a href="https://github.com/python/cpython/blob/main/Lib/pickletools.py">pickletools</a>
 */
final class PickleReader {
  private static final int MAX_PROTOCOL = 5;

  private final Path file;
  private final ByteBuffer bytes;
  private final List<Object> stack = new ArrayList<>();
  private final List<Integer> marks = new ArrayList<>();
  private final Map<Long, Object> memo = new HashMap<>();

  private PickleReader(Path file, ByteBuffer bytes) {
    this.file = file;
    this.bytes = bytes;
  }

  /**
   * The object that a pickle describes.
   *
   * @throws ModelFormatException if it is malformed or uses what tensors do not need
   */
  static Object read(Path file, byte[] pickle) {
    PickleReader reader =
        new PickleReader(file, ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN));
    while (true) {
      int opcode = reader.unsigned(1);
      if (opcode == '.') {
        return reader.pop();
      }
      reader.step(opcode);
    }
  }

  private void step(int opcode) {
    switch (opcode) {
      case 0x80 -> protocol();
      case 0x95 -> require(8).position(bytes.position() + 8); // a frame, which says only its length
      case '(' -> marks.add(stack.size());
      case '0' -> pop();
      case '1' -> popToMark();
      case '2' -> stack.add(top());
      case 'N' -> stack.add(Pickle.NONE);
      case 0x88 -> stack.add(true);
      case 0x89 -> stack.add(false);
      case 'J' -> stack.add((long) require(4).getInt());
      case 'K' -> stack.add((long) unsigned(1));
      case 'M' -> stack.add((long) unsigned(2));
      case 0x8a -> stack.add(integer(unsigned(1)));
      case 'G' -> stack.add(bigEndianDouble());
      case 'X' -> stack.add(text(length(4)));
      case 0x8c -> stack.add(text(length(1)));
      case 0x8d -> stack.add(text(length(8)));
      case 'U', 'C' -> stack.add(skipped(length(1)));
      case 'T', 'B' -> stack.add(skipped(length(4)));
      case 0x8e -> stack.add(skipped(length(8)));
      case ']', 0x8f -> stack.add(new Pickle.Sequence());
      case '}' -> stack.add(new Pickle.Dict());
      case ')' -> stack.add(new Pickle.Tuple(List.of()));
      case 't' -> stack.add(new Pickle.Tuple(popToMark()));
      case 0x85 -> stack.add(new Pickle.Tuple(popLast(1)));
      case 0x86 -> stack.add(new Pickle.Tuple(popLast(2)));
      case 0x87 -> stack.add(new Pickle.Tuple(popLast(3)));
      case 'a' -> append(popLast(1));
      case 'e', 0x90 -> append(popToMark());
      case 's' -> put(popLast(2));
      case 'u' -> put(popToMark());
      case 'q' -> memo.put((long) unsigned(1), top());
      case 'r' -> memo.put(unsignedInt(), top());
      case 0x94 -> memo.put((long) memo.size(), top());
      case 'h' -> stack.add(recalled(unsigned(1)));
      case 'j' -> stack.add(recalled(unsignedInt()));
      case 'c' -> stack.add(new Pickle.Global(line(), line()));
      case 0x93 -> stackGlobal();
      case 'Q' -> stack.add(persistent(pop()));
      case 'R', 0x81 -> reduce();
      case 'b' -> build();
      default ->
          throw error(
              "the pickle has the instruction 0x"
                  + Integer.toHexString(opcode)
                  + ", which no file of tensors needs");
    }
  }

  private void protocol() {
    int protocol = unsigned(1);
    if (protocol > MAX_PROTOCOL) {
      throw error("the pickle has protocol " + protocol + " where " + MAX_PROTOCOL + " is known");
    }
  }

  private void append(List<Object> items) {
    if (top() instanceof Pickle.Sequence sequence) {
      sequence.items.addAll(items);
    } else if (!(top() instanceof Pickle.Opaque)) {
      throw error("the pickle appends to what is no list");
    }
  }

  private void put(List<Object> pairs) {
    if (pairs.size() % 2 != 0) {
      throw error("the pickle sets a key without a value");
    }
    if (top() instanceof Pickle.Opaque) {
      return;
    }
    if (!(top() instanceof Pickle.Dict dict)) {
      throw error("the pickle sets keys of what is no dict");
    }
    for (int i = 0; i < pairs.size(); i += 2) {
      Object key = pairs.get(i);
      // Other keys lead to no weight; and their hash code could not be bounded.
      if (key instanceof String || key instanceof Long) {
        dict.entries.put(key, pairs.get(i + 1));
      }
    }
  }

  private void stackGlobal() {
    List<Object> names = popLast(2);
    if (!(names.get(0) instanceof String module && names.get(1) instanceof String name)) {
      throw error("the pickle names a class by what is no text");
    }
    stack.add(new Pickle.Global(module, name));
  }

  /** ('storage', class, key, location, elements). */
  private Object persistent(Object id) {
    if (id instanceof Pickle.Tuple tuple
        && tuple.items.size() >= 5
        && "storage".equals(tuple.items.get(0))
        && tuple.items.get(1) instanceof Pickle.Global type
        && tuple.items.get(2) instanceof String key
        && tuple.items.get(4) instanceof Long elements) {
      return new Pickle.StorageRef(type, key, elements);
    }
    throw error("the pickle refers to something outside that is no tensor storage");
  }

  private void reduce() {
    List<Object> call = popLast(2);
    List<Object> arguments =
        call.get(1) instanceof Pickle.Tuple tuple ? tuple.items : List.<Object>of();
    String function = call.get(0) instanceof Pickle.Global global ? global.toString() : "";
    stack.add(
        switch (function) {
          case "torch._utils._rebuild_tensor_v2" -> tensor(arguments);
          case "torch._utils._rebuild_parameter" -> first(arguments, function);
          case "collections.OrderedDict" -> new Pickle.Dict();
          default ->
              new Pickle.Opaque(
                  call.get(0) instanceof Pickle.Global global
                      ? global
                      : new Pickle.Global("", "unknown"));
        });
  }

  private Object first(List<Object> arguments, String function) {
    if (arguments.isEmpty()) {
      throw error("the pickle calls " + function + " without arguments");
    }
    return arguments.getFirst();
  }

  /** (storage, offset, size, stride, ...). */
  private Pickle.TensorRef tensor(List<Object> arguments) {
    if (arguments.size() >= 4
        && arguments.get(0) instanceof Pickle.StorageRef storage
        && arguments.get(1) instanceof Long offset
        && arguments.get(2) instanceof Pickle.Tuple size
        && arguments.get(3) instanceof Pickle.Tuple stride
        && size.items.size() == stride.items.size()) {
      return new Pickle.TensorRef(storage, offset, longs(size), longs(stride));
    }
    throw error("the pickle rebuilds a tensor from what is no storage, offset, size and stride");
  }

  private long[] longs(Pickle.Tuple tuple) {
    long[] values = new long[tuple.items.size()];
    for (int i = 0; i < values.length; i++) {
      if (!(tuple.items.get(i) instanceof Long value) || value < 0) {
        throw error("the pickle gives a tensor an extent or stride that is no count");
      }
      values[i] = value;
    }
    return values;
  }

  /** State of an object: attributes, which hold no weights that a dict does not. */
  private void build() {
    pop();
    top();
  }

  private Object recalled(long key) {
    Object value = memo.get(key);
    if (value == null) {
      throw error("the pickle recalls entry " + key + ", which it never stored");
    }
    return value;
  }

  private Object pop() {
    Object top = top();
    stack.removeLast();
    return top;
  }

  private Object top() {
    int bottom = marks.isEmpty() ? 0 : marks.getLast();
    if (stack.size() <= bottom) {
      throw error("the pickle takes more values than it gives");
    }
    return stack.getLast();
  }

  private List<Object> popLast(int count) {
    List<Object> values = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      values.addFirst(pop());
    }
    return values;
  }

  private List<Object> popToMark() {
    if (marks.isEmpty()) {
      throw error("the pickle closes a group that it never opened");
    }
    int from = marks.removeLast();
    List<Object> group = stack.subList(from, stack.size());
    List<Object> values = new ArrayList<>(group);
    group.clear();
    return values;
  }

  /** Checks that so many bytes are left. */
  private ByteBuffer require(long count) {
    if (count > bytes.remaining()) {
      throw error(
          "the pickle ends early: "
              + count
              + " bytes are wanted and "
              + bytes.remaining()
              + " are left");
    }
    return bytes;
  }

  private int unsigned(int width) {
    require(width);
    return width == 1 ? bytes.get() & 0xff : bytes.getShort() & 0xffff;
  }

  private long unsignedInt() {
    return Integer.toUnsignedLong(require(4).getInt());
  }

  private int length(int width) {
    long length =
        switch (width) {
          case 1 -> unsigned(1);
          case 4 -> unsignedInt();
          default -> require(8).getLong();
        };
    if (length < 0) {
      throw error("the pickle has a text of negative length");
    }
    require(length);
    return (int) length;
  }

  /** A little-endian two's complement number. */
  private long integer(int width) {
    require(width);
    if (width > Long.BYTES) {
      throw error("the pickle has an integer of " + width + " bytes where 8 are allowed");
    }
    long value = 0;
    for (int i = 0; i < width; i++) {
      value |= (bytes.get() & 0xffL) << (8 * i);
    }
    int unused = Long.SIZE - 8 * width;
    return width == 0 ? 0 : value << unused >> unused;
  }

  private double bigEndianDouble() {
    return Double.longBitsToDouble(Long.reverseBytes(require(8).getLong()));
  }

  private String text(int length) {
    ByteBuffer part = bytes.slice(bytes.position(), length);
    bytes.position(bytes.position() + length);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(part).toString();
    } catch (CharacterCodingException e) {
      throw new ModelFormatException(
          file, "the pickle has a text that is not UTF-8", TorchFile.DAMAGED, e);
    }
  }

  /** Bytes, which are no weights. */
  private Object skipped(int length) {
    bytes.position(bytes.position() + length);
    return Pickle.NONE;
  }

  private String line() {
    int from = bytes.position();
    while (unsigned(1) != '\n') {
      // the line ends later
    }
    int length = bytes.position() - 1 - from;
    bytes.position(from);
    String line = text(length);
    bytes.get();
    return line;
  }

  private ModelFormatException error(String problem) {
    return new ModelFormatException(
        file,
        problem + " (at byte " + bytes.position() + " of " + quote("data.pkl") + ")",
        TorchFile.DAMAGED);
  }
}
