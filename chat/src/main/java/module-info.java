/** Chat templates. */
module io.attention4j.chat {
  requires transitive io.attention4j.llm;
}
