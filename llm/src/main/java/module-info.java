/** Model files, tokenizers, architectures and generation. */
module io.attention4j.llm {
  requires transitive io.attention4j.engine;
  requires io.attention4j.kvcache;
  requires ai.djl.tokenizers;
  requires com.fasterxml.jackson.core;
  requires com.fasterxml.jackson.databind;

  exports io.attention4j.llm.tokenizer;
}
