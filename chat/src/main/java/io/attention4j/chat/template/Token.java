package io.attention4j.chat.template;

/**
 * A token of an expression or tag.
 *
 * @param kind what it is
 * @param text a name, an operator, a number as written, or a string with its escapes resolved
 */
record Token(Kind kind, String text) {
  enum Kind {
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR
  }

  boolean isOperator(String operator) {
    return kind == Kind.OPERATOR && text.equals(operator);
  }

  boolean isName(String name) {
    return kind == Kind.NAME && text.equals(name);
  }

  @Override
  public String toString() {
    return kind == Kind.STRING ? "string \"" + text + '"' : "'" + text + "'";
  }
}
