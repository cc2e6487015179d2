/** An application of Attention4j. */
module smoke {
  requires io.attention4j.demo;
  requires io.attention4j.llm;
}
