package io.attention4j.llm.loading;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.operator.WeightSource;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.engine.tensor.Tensors;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.format.ModelFormatException;
import java.lang.foreign.Arena;
import java.util.HashSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * Hands out weights, each checked for its shape. Matrices stay in the mapping; vectors are
 * converted to F32 on the device. Used once, by one thread, while a model loads.
 */
public final class WeightLoader {
  private final ModelFiles files;
  private final Device device;
  private final Device.TensorArena deviceArena;
  private final Arena hostArena;
  private final Set<String> taken;

  /**
   * A loader.
   *
   * @param deviceArena owner of the vectors
   * @param hostArena owner of matrices that must be rearranged
   */
  public WeightLoader(
      ModelFiles files, Device device, Device.TensorArena deviceArena, Arena hostArena) {
    this(files, device, deviceArena, hostArena, new HashSet<>());
  }

  private WeightLoader(
      ModelFiles files,
      Device device,
      Device.TensorArena deviceArena,
      Arena hostArena,
      Set<String> taken) {
    this.files = files;
    this.device = device;
    this.deviceArena = deviceArena;
    this.hostArena = hostArena;
    this.taken = taken;
  }

  /** A loader that puts vectors on another device; what either hands out counts as taken. */
  public WeightLoader on(Device other, Device.TensorArena otherArena) {
    return new WeightLoader(files, other, otherArena, hostArena, taken);
  }

  /** Whether the weight is in the file. */
  public boolean has(Weight weight, int layer) {
    return files.tensors().names().contains(files.names().name(weight, layer) + ".weight");
  }

  /** A table of rows (an embedding) [rows, columns]. */
  public Tensor table(Weight weight, long rows, long columns) {
    return checked(files.names().name(weight, 0) + ".weight", Shape.of(rows, columns));
  }

  /** The matrix of a linear layer, [out, in]. */
  public Tensor matrix(Weight weight, int layer, long out, long in) {
    String name = files.names().name(weight, layer) + ".weight";
    if (!files.names().transposedMatrices() || weight == Weight.OUTPUT) {
      return checked(name, Shape.of(out, in));
    }
    Tensor stored = checked(name, Shape.of(in, out));
    return Tensors.convert(stored.transpose(0, 1), stored.dtype(), hostArena);
  }

  /** The weights of a norm, F32 [size] on the device. */
  public Tensor vector(Weight weight, int layer, long size) {
    return toDevice(checked(files.names().name(weight, layer) + ".weight", Shape.of(size)));
  }

  /** A weight of any shape with this many elements, F32 [size] on the device. */
  public Tensor flat(Weight weight, int layer, long size) {
    String name = files.names().name(weight, layer) + ".weight";
    Tensor stored = files.tensors().tensor(name);
    if (stored.shape().elements() == size) {
      taken.add(name);
      return toDevice(stored.reshape(size));
    }
    return toDevice(checked(name, Shape.of(size)));
  }

  /** As {@link #flat} for converters that leave the suffix ".weight" out. */
  public Tensor flatPlain(Weight weight, int layer, long size) {
    String name = files.names().name(weight, layer);
    if (!files.tensors().names().contains(name)) {
      return flat(weight, layer, size);
    }
    Tensor stored = files.tensors().tensor(name);
    taken.add(name);
    return toDevice(
        stored.shape().elements() == size ? stored.reshape(size) : checked(name, Shape.of(size)));
  }

  /** The first matrix of a product through few dimensions, [1 .. maxRank, in]. */
  public Tensor downProjection(Weight weight, int layer, long in, long maxRank) {
    String name = files.names().name(weight, layer) + ".weight";
    Tensor stored = files.tensors().tensor(name);
    long rank = stored.shape().rank() == 2 ? stored.extent(0) : 1;
    return checked(name, Shape.of(Math.clamp(rank, 1, maxRank), in));
  }

  /** Takes a weight that a converter writes although nothing uses it. */
  public void ignore(Weight weight, int layer) {
    taken.add(files.names().name(weight, layer) + ".weight");
  }

  /** The bias of a norm or linear layer, F32 [size] on the device, if the file has it. */
  public Optional<Tensor> bias(Weight weight, int layer, long size) {
    String name = files.names().name(weight, layer) + ".bias";
    return files.tensors().names().contains(name)
        ? Optional.of(toDevice(checked(name, Shape.of(size))))
        : Optional.empty();
  }

  /** A bias that must be there. */
  public Tensor requiredBias(Weight weight, int layer, long size) {
    return toDevice(checked(files.names().name(weight, layer) + ".bias", Shape.of(size)));
  }

  /**
   * Weights that an attention operator asks for, of this layer by their name behind the layer's
   * prefix, or of the model by their whole name.
   */
  public WeightSource ofLayer(int layer) {
    String prefix = files.layerPrefix(layer);
    return name -> {
      String inLayer = prefix + name;
      String found = files.tensors().names().contains(inLayer) ? inLayer : name;
      taken.add(found);
      return files.tensors().find(found);
    };
  }

  private Tensor checked(String name, Shape expected) {
    Tensor tensor = files.tensors().tensor(name);
    taken.add(name);
    if (!tensor.shape().equals(expected)) {
      throw new ModelFormatException(
          files.path(),
          "the tensor "
              + quote(name)
              + " has the shape "
              + tensor.shape()
              + " where the settings of "
              + files.architecture().id()
              + " ask for "
              + expected,
          "download or convert the model again");
    }
    return tensor;
  }

  private Tensor toDevice(Tensor stored) {
    try (Arena arena = Arena.ofConfined()) {
      Tensor floats = Tensors.convert(stored, DType.F32, arena);
      Tensor target = deviceArena.allocate(DType.F32, stored.shape().extents());
      device.upload(floats.segment().asSlice(0, floats.byteSize()), target);
      return target;
    }
  }

  /**
   * Refuses a file whose layers hold weights that nobody took: it is not the architecture it says
   * it is, and would give nonsense.
   */
  public void requireAllTaken() {
    String layers = files.layerPrefix(0).replaceFirst("0\\.$", "");
    for (String name : files.weightNames()) {
      if (name.startsWith(layers) && !taken.contains(name)) {
        throw new ModelFormatException(
            files.path(),
            String.format(
                Locale.ROOT,
                "the tensor %s is no part of the architecture %s as it is known here",
                quote(name),
                files.architecture().id()),
            "use another model or file");
      }
    }
  }
}
