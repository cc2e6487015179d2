package io.attention4j.benchmarks.mqar;

import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.layer.LayerStack;
import io.attention4j.engine.recurrent.layer.SequenceState;
import java.util.List;

/**
 * Two layers with weights built by hand: the first brings each token the key code of the one before
 * it, the second looks up the token's own code among these and returns value bits. Nothing is
 * trained; what is lost is what the second layer's state cannot hold.
 *
 * @param codes what the embeddings say
 * @param stack the layers
 */
record RecallModel(Codes codes, LayerStack stack) {
  /** Share of right answers and the numbers that all states hold at the end. */
  record Result(double recall, long stateNumbers) {}

  /** The mean over examples of the share of labels that are predicted. */
  Result run(MqarTask task, int examples) {
    double recall = 0;
    long numbers = 0;
    for (int e = 0; e < examples; e++) {
      MqarTask.Example example = task.example(e);
      List<SequenceState> states = stack.newStates();
      Rows hidden = stack.run(codes.embed(example.inputs()), states);
      int right = 0;
      for (int t = 0; t < task.length(); t++) {
        int label = example.labels()[t];
        if (label != MqarTask.IGNORED && codes.answer(hidden, t) == label) {
          right++;
        }
      }
      recall += (double) right / task.pairs() / examples;
      numbers = states.stream().mapToLong(SequenceState::elements).sum();
    }
    return new Result(recall, numbers);
  }
}
