package io.attention4j.benchmarks.attention;

import io.attention4j.benchmarks.kernel.AttentionCase;
import io.attention4j.benchmarks.measure.Bench;
import io.attention4j.benchmarks.measure.Header;
import io.attention4j.benchmarks.peer.AttentionPeer;
import io.attention4j.benchmarks.peer.PeerLibrary;
import io.attention4j.benchmarks.report.BarChart;
import io.attention4j.benchmarks.report.Report;
import io.attention4j.benchmarks.report.Table;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The tables of attention kernels. */
public final class AttentionSuite {
  /** One table. */
  public enum Part {
    /** Softmax over a whole sequence, beside the peers. */
    PREFILL,
    /** Sigmoid beside softmax. */
    SIGMOID,
    /** Block-sparse beside dense. */
    SPARSE,
    /** One token over a long cache. */
    DECODE
  }

  /**
   * Sizes to measure.
   *
   * @param heads query and KV heads of prefill, KV heads of decode
   * @param dims elements of a head
   * @param lengths tokens of prefill
   * @param sparseHeads heads of block-sparse prefill
   * @param sparseLength its tokens
   * @param sparsities shares of its key blocks left out
   * @param decodeKeys keys of decode
   */
  public record Sizes(
      int heads,
      List<Integer> dims,
      List<Integer> lengths,
      int sparseHeads,
      int sparseLength,
      List<Double> sparsities,
      int decodeKeys) {
    /** Checks the ranges. */
    public Sizes {
      requirePositive("heads", List.of(heads, sparseHeads));
      requirePositive("dims", dims);
      requirePositive("lengths", lengths);
      requirePositive("decode keys", List.of(decodeKeys));
      if (sparseLength < 1 || sparseLength % AttentionCase.BLOCK != 0) {
        throw new IllegalArgumentException(
            "sparse length " + sparseLength + " must be a multiple of " + AttentionCase.BLOCK);
      }
      for (double sparsity : sparsities) {
        if (!(sparsity > 0 && sparsity < 1)) {
          throw new IllegalArgumentException(
              "sparsity " + sparsity + " must be above 0 and below 1");
        }
      }
    }

    private static void requirePositive(String what, List<Integer> values) {
      for (int value : values) {
        if (value < 1) {
          throw new IllegalArgumentException(what + ": " + value + " must be at least 1");
        }
      }
    }
  }

  private final Set<Part> parts;
  private final Sizes sizes;

  /** A suite of some tables. */
  public AttentionSuite(Set<Part> parts, Sizes sizes) {
    this.parts = Set.copyOf(parts);
    this.sizes = sizes;
  }

  /**
   * Measures; takes minutes.
   *
   * @throws IllegalArgumentException if the kernels refuse a case or have no probes
   */
  public Report run(Bench bench) {
    List<PeerLibrary.Peer> engines =
        parts.contains(Part.PREFILL) ? PeerLibrary.startAll(bench.threads()) : List.of();
    List<String> header =
        Header.lines(bench, engines.stream().map(PeerLibrary.Peer::version).toList());
    List<Table> tables = new ArrayList<>();
    List<BarChart> charts = new ArrayList<>();
    for (Part part : Part.values()) {
      if (parts.contains(part)) {
        Section.Outcome outcome = section(part, engines).run(bench);
        tables.add(outcome.table());
        charts.add(outcome.chart());
      }
    }
    return new Report("attention", "Attention kernels", header, tables, charts);
  }

  private Section section(Part part, List<PeerLibrary.Peer> engines) {
    return switch (part) {
      case PREFILL -> {
        List<AttentionPeer> peers = new ArrayList<>();
        engines.forEach(engine -> peers.addAll(engine.attention()));
        yield new PrefillSection(sizes.heads(), sizes.dims(), sizes.lengths(), peers);
      }
      case SIGMOID -> new SigmoidSection(sizes.heads(), sizes.dims(), sizes.lengths());
      case SPARSE ->
          new SparseSection(
              sizes.sparseHeads(), sizes.dims(), sizes.sparseLength(), sizes.sparsities());
      case DECODE -> new DecodeSection(sizes.heads(), sizes.dims(), sizes.decodeKeys());
    };
  }
}
