/** Model files, tokenizers, architectures and generation. */
module io.attention4j.llm {
  requires transitive io.attention4j.engine;
  requires io.attention4j.kvcache;

  exports io.attention4j.llm.sampling;
}
