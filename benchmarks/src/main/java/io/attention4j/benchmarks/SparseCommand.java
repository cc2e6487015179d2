package io.attention4j.benchmarks;

import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.sparse.CostSuite;
import io.attention4j.engine.runtime.KernelSelector;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code attention4j-bench sparse}. */
@Command(
    name = "sparse",
    sortOptions = false,
    description = {
      "Measures one layer of every sparse attention operator beside dense attention: prefill of a"
          + " whole sequence, causal and bidirectional, and decoding of one token.",
      ""
    })
final class SparseCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private BenchOptions options;

  @Option(
      names = "--operators",
      split = ",",
      paramLabel = "NAME",
      defaultValue =
          "window,sink-window,longformer,bigbird,block-topk,prflash,lsg,hyper,"
              + "combiner:type=fixed,combiner:type=logsparse,combiner:type=axial,"
              + "combiner:type=rowmajor,routing:clusters=sqrt(N);tokens=sqrt(N),"
              + "landmark,landmark:retrieval=chunk,seer:gate=random;k=16",
      description =
          "Options of causal layers; none for no such table. sqrt(N) is the root of the length,"
              + " gate=random an untrained gate.")
  private List<String> operators;

  @Option(
      names = "--encoders",
      split = ",",
      paramLabel = "NAME",
      defaultValue = "longformer,bigbird,lsg,hyper,nystrom,combiner:type=fixed",
      description = "Options of bidirectional layers; none for no such table.")
  private List<String> encoders;

  @Option(
      names = "--decoders",
      split = ",",
      paramLabel = "NAME",
      defaultValue =
          "window,sink-window,longformer,bigbird,block-topk,quest:dense=0,prflash,lsg,hyper,"
              + "combiner:type=fixed,combiner:type=logsparse,combiner:type=axial,"
              + "combiner:type=rowmajor,routing:clusters=sqrt(N);tokens=sqrt(N),landmark,"
              + "seer-decode:gate=random;budget=1024,nosa:gate=random",
      description = "Options of causal layers that decode; none for no such table.")
  private List<String> decoders;

  @Option(
      names = "--lengths",
      split = ",",
      description =
          "Tokens of prefill. Default: 1024 to 131072 in powers of two; with --quick"
              + " 1024,4096. 0 for no prefill.")
  private List<Integer> lengths;

  @Option(
      names = "--decode-lengths",
      split = ",",
      description =
          "Tokens before the decoded one. Default: 8192,32768; with --quick 4096. 0 for"
              + " no decoding.")
  private List<Integer> decodeLengths;

  @Option(
      names = "--truth-lengths",
      split = ",",
      description =
          "Tokens of dense attention beside which the largest weights of blocks are computed, the"
              + " truth that gates predict. Default: 4096,16384; with --quick 4096. 0 for none.")
  private List<Integer> truthLengths;

  @Option(
      names = "--exponent-lengths",
      split = ",",
      description =
          "Tokens of prefill to whose times a power of N is fitted. Default: 16384 to 131072 in"
              + " powers of two; with --quick 1024,2048,4096. 0 for none.")
  private List<Integer> exponentLengths;

  @Option(
      names = "--exponents",
      split = ",",
      paramLabel = "NAME",
      defaultValue = "routing:clusters=sqrt(N);tokens=sqrt(N)",
      description = "Options of causal layers for those lengths.")
  private List<String> exponents;

  @Option(
      names = "--softmax",
      paramLabel = "HOW",
      defaultValue = "measured",
      description =
          "Prefill of softmax: ${COMPLETION-CANDIDATES} (one head's time times the heads; the"
              + " row of an earlier run, with --add). Default: ${DEFAULT-VALUE}.")
  private CostSuite.Dense dense;

  @Option(
      names = "--add",
      description =
          "Keep what the CSV files in the folder of --report have besides: rows of several short"
              + " runs add up.")
  private boolean add;

  @Option(
      names = "--caches",
      split = ",",
      defaultValue = "f32,f16",
      description = "Codecs of the cache. Default: ${DEFAULT-VALUE}.")
  private List<String> codecs;

  @Option(
      names = "--heads",
      defaultValue = "8",
      description = "Query and KV heads. Default: ${DEFAULT-VALUE}.")
  private int heads;

  @Option(
      names = "--dim",
      defaultValue = "128",
      description = "Elements of a head. Default: ${DEFAULT-VALUE}.")
  private int headDim;

  @Override
  public Integer call() throws IOException {
    List<Integer> prefill =
        options.quick()
            ? List.of(1024, 4096)
            : List.of(1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072);
    List<Integer> truth = options.quick() ? List.of(4096) : List.of(4096, 16384);
    List<Integer> decode = options.quick() ? List.of(4096) : List.of(8192, 32768);
    List<Integer> exponent =
        options.quick() ? List.of(1024, 2048, 4096) : List.of(16384, 32768, 65536, 131072);
    if (add && options.folder() == null) {
      throw new IllegalArgumentException("--add needs the folder to add to; give --report DIR");
    }
    CostSuite suite =
        new CostSuite(
            new CostSuite.Sizes(
                unlessNone(operators),
                unlessNone(encoders),
                unlessNone(decoders),
                unlessZero(lengths, prefill),
                unlessZero(decodeLengths, decode),
                unlessZero(truthLengths, truth),
                codecs,
                unlessZero(exponentLengths, exponent),
                exponents,
                heads,
                headDim,
                dense,
                add ? options.folder() : null));
    try (KernelSelector kernels = options.openKernels()) {
      Bench bench = options.bench(kernels);
      options.publish(suite.run(bench), spec.commandLine().getOut());
    }
    return 0;
  }

  private static List<String> unlessNone(List<String> names) {
    return names.equals(List.of("none")) ? List.of() : names;
  }

  private static List<Integer> unlessZero(List<Integer> given, List<Integer> defaults) {
    if (given == null) {
      return defaults;
    }
    return given.equals(List.of(0)) ? List.of() : given;
  }
}
