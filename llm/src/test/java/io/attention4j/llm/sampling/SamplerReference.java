package io.attention4j.llm.sampling;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Each filter as its paper writes it: float64, full sorts, boxed lists. */
final class SamplerReference {
  private SamplerReference() {}

  /** Probability of every token that can be drawn; the keys are the kept set. */
  static Map<Integer, Double> distribution(
      float[] row, SamplingOptions options, List<Integer> history) {
    double[] logits = new double[row.length];
    for (int t = 0; t < row.length; t++) {
      logits[t] = row[t];
    }
    options.logitBias().forEach((t, bias) -> logits[t] = (float) logits[t] + bias);
    int window = options.penaltyWindowTokens();
    List<Integer> seen =
        window < 0
            ? history
            : history.subList(Math.max(0, history.size() - window), history.size());
    for (int token : seen.stream().distinct().toList()) {
      long count = seen.stream().filter(t -> t == token).count();
      double logit = logits[token];
      logit = logit > 0 ? logit / options.repetitionPenalty() : logit * options.repetitionPenalty();
      logits[token] =
          (float) (logit - count * options.frequencyPenalty() - options.presencePenalty());
    }
    List<Integer> kept = new ArrayList<>();
    for (int t = 0; t < logits.length; t++) {
      if (logits[t] != Double.NEGATIVE_INFINITY) {
        kept.add(t);
      }
    }
    kept.sort(Comparator.<Integer>comparingDouble(t -> -logits[t]).thenComparing(t -> t));
    if (options.greedy()) {
      return Map.of(kept.get(0), 1.0);
    }
    if (options.topK() > 0 && options.topK() < kept.size()) {
      kept = kept.subList(0, options.topK());
    }
    if (options.typicalP() < 1) {
      Map<Integer, Double> p = softmax(logits, kept, 1);
      double entropy = 0;
      for (double x : p.values()) {
        entropy -= x * Math.log(x);
      }
      double h = entropy;
      List<Integer> byTypicality = new ArrayList<>(kept);
      byTypicality.sort(Comparator.comparingDouble(t -> Math.abs(-Math.log(p.get(t)) - h)));
      double sum = 0;
      int n = 0;
      while (n < byTypicality.size() && (n == 0 || sum <= options.typicalP())) {
        sum += p.get(byTypicality.get(n++));
      }
      List<Integer> typical = byTypicality.subList(0, n);
      kept = kept.stream().filter(typical::contains).toList();
    }
    if (options.topP() < 1) {
      Map<Integer, Double> p = softmax(logits, kept, 1);
      double sum = 0;
      int n = 0;
      while (n < kept.size() && (n == 0 || sum < options.topP())) {
        sum += p.get(kept.get(n++));
      }
      kept = kept.subList(0, n);
    }
    if (options.minP() > 0) {
      Map<Integer, Double> p = softmax(logits, kept, 1);
      double least = p.get(kept.get(0)) * options.minP();
      kept = kept.stream().filter(t -> p.get(t) >= least).toList();
    }
    return softmax(logits, kept, options.temperature());
  }

  private static Map<Integer, Double> softmax(
      double[] logits, List<Integer> tokens, double temperature) {
    double max = tokens.stream().mapToDouble(t -> logits[t]).max().orElseThrow();
    Map<Integer, Double> p = new LinkedHashMap<>();
    double sum = 0;
    for (int t : tokens) {
      double weight = Math.exp((logits[t] - max) / temperature);
      p.put(t, weight);
      sum += weight;
    }
    double total = sum;
    p.replaceAll((t, weight) -> weight / total);
    return p;
  }
}
