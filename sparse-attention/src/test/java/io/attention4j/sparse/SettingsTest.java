package io.attention4j.sparse;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.operator.OptionSpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bad settings are refused with the value, the bound and the remedy. */
class SettingsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "window:tokens=0|tokens=0 is outside 1..1073741824; write tokens=1 or more",
        "window:tokens=9999999999|tokens=9999999999 is outside 1..1073741824; write tokens=10737",
        "window:tokens=many|tokens=many is not an integer",
        "window:size=3|no setting 'size'; known are [tokens]",
        "sink-window:sinks=-1|sinks=-1 is outside 0..1073741824; write sinks=0 or more",
        "sink-window:tokens=0|tokens=0 is outside 1..1073741824; write tokens=1 or more",
        "longformer:globals=-1|globals=-1 is outside 0..1073741824; write globals=0 or more",
        "longformer:tokens=-1|tokens=-1 is outside 0..1073741824; write tokens=0 or more",
        "bigbird:block=0|block=0 is outside 1..1073741824; write block=1 or more",
        "bigbird:window=0|window=0 is outside 1..1073741824; write window=1 or more",
        "bigbird:global=-1|global=-1 is outside 0..1073741824; write global=0 or more",
        "bigbird:random=-1|random=-1 is outside 0..1073741824; write random=0 or more",
        "bigbird:seed=-1|seed=-1 is outside 0..1073741824; write seed=0 or more",
        "block-topk:block=0|block=0 is outside 1..1073741824; write block=1 or more",
        "block-topk:k=-1|k=-1 is outside 0..1073741824; write k=0 or more",
        "hyper:block=-1|block=-1 is outside 0..1073741824; write block=0 or more",
        "hyper:block=0;samples=0|read nothing of a square; write block=1",
        "hyper:sampling=keys|sampling=keys is none of [uniform, values]",
        "hyper:samples=-1|samples=-1 is outside 0..1073741824; write samples=0 or more",
        "hyper:projections=15|projections=15 is outside 1..14; write projections=14 or less",
        "hyper:min=0|min=0 is outside 1..1073741824; write min=1 or more",
        "prflash:block=0|block=0 is outside 1..1073741824; write block=1 or more",
        "prflash:budget=0|budget=0 is outside 1..1073741824; write budget=1 or more",
        "prflash:alpha=-1|alpha=-1.0 is outside 0..1000; write alpha=0 or more",
        "prflash:alpha=1e9|alpha=1.0E9 is outside 0..1000; write alpha=1000 or less",
        "prflash:schedule=often|schedule=often is none of [sampled, nearest]",
        "prflash:schedule=nearest;unbiased=true|write schedule=sampled",
        "routing:clusters=0|clusters=0 is outside 1..1073741824; write clusters=1 or more",
        "routing:eps=2|eps=2.0 is outside 0..1; write eps=1 or less",
        "routing:queries=none|queries=none is none of [balanced, nearest]",
        "combiner:segment=0|segment=0 is outside 1..1073741824; write segment=1 or more",
        "combiner:type=square|type=square is none of [fixed, logsparse, axial, rowmajor]",
        "combiner:type=logsparse;segment=8|segment=8 has no meaning with type=logsparse",
        "nystrom:landmarks=0|landmarks=0 is outside 1..1073741824; write landmarks=1 or more",
        "nystrom:iterations=101|iterations=101 is outside 1..100; write iterations=100 or less",
        "lsg:block=0|block=0 is outside 1..1073741824; write block=1 or more",
        "lsg:block=6;factor=4|factor=4 must divide block=6; write for example factor=1 or block=8",
        "lsg:sparse=-1|sparse=-1 is outside 0..1073741824; write sparse=0 or more",
        "lsg:globals=-1|globals=-1 is outside 0..1073741824; write globals=0 or more",
        "auto:error=-1|error=-1.0 is outside 0..1000; write error=0 or more",
        "auto:candidates=combiner|has 'combiner', which is none of [sink-window",
        "auto:min=0|min=0 is outside 1..1073741824; write min=1 or more",
        "landmark:block=1|block=1 is outside 2..1073741824; write block=2 or more",
        "landmark:k=-1|k=-1 is outside 0..1073741824; write k=0 or more",
        "landmark:retrieval=all|retrieval=all is none of [token, heads, chunk]",
        "seer:k=3|'seer' needs the weights of a trained gate; write gate=FILE",
        "seer:gate=x;block=0|block=0 is outside 1..1073741824; write block=1 or more",
        "seer:gate=x;k=1;density=0.5|takes one of the settings threshold, density and k",
        "seer:gate=x;density=2|density=2.0 is outside 0..1; write density=1 or less",
        "seer:gate=x;strict=true;last=1|write last=0",
        "seer-decode:budget=64|'seer-decode' needs the weights of a trained gate",
        "seer-decode:gate=x;budget=63|budget=63 tokens is below one block of 64; write budget=64",
        "seer-decode:gate=x;budget=64;threshold=0|takes one of the settings threshold and budget",
        "nosa:k=32|k=32 is below the 33 blocks of init, local and query together; write k=33",
        "nosa:block=0|block=0 is outside 1..1073741824; write block=1 or more",
        "nosa:stride=33|stride=33 is outside 1..32; write stride=32 or less",
        "block-topk:strict=yes|strict=yes must be true or false",
      })
  void aBadSettingIsRefused(String option, String sentence) {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () -> new SparseOperators().create(OptionSpec.parse(option)));
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }

  @Test
  void anEvenWindowOfABidirectionalLayerIsRefused() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                new OperatorRun("reference", "bigbird:window=2", new Mask.All(), "paged+f32")
                    .close());
    assertTrue(e.getMessage().contains("write window=3"), e.getMessage());
  }

  @Test
  void aCausalPatternRefusesABidirectionalLayer() {
    Exception e =
        assertThrows(
            IllegalArgumentException.class,
            () -> new OperatorRun("reference", "window", new Mask.All(), "paged+f32").close());
    assertTrue(e.getMessage().contains("use longformer, bigbird, lsg or nystrom"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "block-topk:block=8;k=513|k=513 is above the 512 blocks of 8 tokens that a context of 4096",
        "seer:gate=gates;block=64;k=65|k=65 is above the 64 blocks of 64 tokens",
        "landmark:block=64;k=65|write k=64 or less, or a smaller block",
        "nosa:gate=gates;block=128;local=1;query=1;k=33|k=33 is above the 32 blocks of 128 tokens",
      })
  void moreBlocksThanAContextHasAreRefused(String option, String sentence) {
    Exception e =
        assertThrows(
            IllegalArgumentException.class, () -> new OperatorRun("reference", option).close());
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }

  @Test
  void aDefaultMayBeMoreThanAContextHas() {
    try (OperatorRun run = new OperatorRun("reference", "block-topk:block=512")) {
      assertTrue(run.layer.newState().length() == 0);
    }
  }
}
