/** Chat templates. */
module io.attention4j.chat {
  requires transitive io.attention4j.llm;
  requires jinjava;

  exports io.attention4j.chat;
}
