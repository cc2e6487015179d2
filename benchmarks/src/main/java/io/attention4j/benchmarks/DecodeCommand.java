package io.attention4j.benchmarks;

import io.attention4j.benchmarks.decode.BenchModels;
import io.attention4j.benchmarks.decode.DecodeSuite;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.tensor.DType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench decode}. */
@Command(
    name = "decode",
    sortOptions = false,
    description = {
      "Measures decoding and prefill of models with random weights in the shape of Llama-3.2-1B,"
          + " against the machine's read bandwidth and FMA peak and, with --peers or --llama-cpp,"
          + " beside llama.cpp.",
      ""
    })
final class DecodeCommand implements Callable<Integer> {
  /** Folder for what is made or installed once; the launcher sets it. */
  private static final String FOLDER_PROPERTY = "attention4j.bench.folder";

  /** Whether to install and run llama.cpp unasked; the launcher's --peers sets it. */
  private static final String PEERS_PROPERTY = "attention4j.bench.peers";

  private enum Section {
    DECODE,
    PREFILL
  }

  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Option(
      names = "--types",
      split = ",",
      paramLabel = "TYPE",
      defaultValue = "Q8_0,F16,Q4_0,Q4_K",
      description = "Types of the weights. Default: ${DEFAULT-VALUE}.")
  private List<DType> types;

  @Option(
      names = "--models",
      paramLabel = "DIR",
      description = "Where the models are, and are made when missing (some GB).")
  private Path models;

  @Option(
      names = "--model",
      paramLabel = "FILE",
      description = "A GGUF file to measure instead; can be repeated.")
  private List<Path> files;

  @Option(
      names = "--sections",
      split = ",",
      paramLabel = "NAME",
      description = "Of ${COMPLETION-CANDIDATES}. Default: all.")
  private List<Section> sections;

  @Option(
      names = "--depth",
      split = ",",
      paramLabel = "TOKENS",
      description =
          "Tokens in the session before decoding, besides 0. Default: 8192; with --quick none.")
  private List<Integer> depths;

  @Option(
      names = {"-n", "--new-tokens"},
      defaultValue = "16",
      description = "Tokens of one timing of decoding. Default: ${DEFAULT-VALUE}.")
  private int newTokens;

  @Option(
      names = {"-p", "--prompt-tokens"},
      defaultValue = "512",
      description = "Tokens of prefill; 0 = leave it out. Default: ${DEFAULT-VALUE}.")
  private int promptTokens;

  @Option(
      names = "--llama-cpp",
      paramLabel = "DIR",
      description = "Run llama.cpp beside; npm installs it into this folder unless it is there.")
  private Path llamaCpp;

  @Override
  public Integer call() throws IOException {
    Optional<Path> peer =
        llamaCpp != null
            ? Optional.of(llamaCpp)
            : Boolean.getBoolean(PEERS_PROPERTY) ? Optional.of(folder("node")) : Optional.empty();
    if (peer.isPresent()) {
      DecodeSuite.installLlamaCpp(peer.get());
    }
    TreeSet<Integer> ascending = new TreeSet<>(List.of(0));
    ascending.addAll(depths != null ? depths : options.quick() ? List.of() : List.of(8192));
    DecodeSuite suite =
        new DecodeSuite(
            modelFiles(),
            new DecodeSuite.Sizes(
                wants(Section.DECODE) ? List.copyOf(ascending) : List.of(),
                newTokens,
                wants(Section.PREFILL) ? promptTokens : 0),
            options.kernels(),
            peer);
    try (KernelSelector kernels = options.openKernels()) {
      options.publish(suite.run(options.bench(kernels)), spec.commandLine().getOut());
    }
    return 0;
  }

  private boolean wants(Section section) {
    return sections == null || sections.contains(section);
  }

  private List<DecodeSuite.Model> modelFiles() throws IOException {
    List<DecodeSuite.Model> found = new ArrayList<>();
    if (files != null) {
      files.forEach(file -> found.add(new DecodeSuite.Model(file.getFileName().toString(), file)));
    } else {
      Path folder = models != null ? models : folder("models");
      for (DType type : types) {
        found.add(BenchModels.of(folder, type));
      }
    }
    return found;
  }

  private static Path folder(String name) {
    String root = System.getProperty(FOLDER_PROPERTY);
    if (root == null) {
      throw new IllegalArgumentException(
          "no folder for "
              + name
              + ": start with the launcher attention4j-bench, set -D"
              + FOLDER_PROPERTY
              + ", or give --models and --llama-cpp");
    }
    return Path.of(root).resolve(name);
  }
}
