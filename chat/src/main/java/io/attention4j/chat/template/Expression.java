package io.attention4j.chat.template;

import java.util.List;

/** The syntax tree of Jinja2's expressions. */
sealed interface Expression {
  record Constant(Object value) implements Expression {}

  record Name(String name) implements Expression {}

  record ListDisplay(List<Expression> items) implements Expression {}

  record TupleDisplay(List<Expression> items) implements Expression {}

  record MapDisplay(List<Expression> keys, List<Expression> values) implements Expression {}

  record Attribute(Expression base, String name) implements Expression {}

  record Item(Expression base, Expression index) implements Expression {}

  /** Each bound may be null. */
  record Slice(Expression start, Expression stop, Expression step) implements Expression {}

  record Call(Expression function, CallArguments arguments) implements Expression {}

  /** A null base stands for the body of a filter or set block. */
  record Filter(Expression base, String name, CallArguments arguments) implements Expression {}

  record Test(Expression base, String name, CallArguments arguments) implements Expression {}

  record Not(Expression operand) implements Expression {}

  record Negate(Expression operand) implements Expression {}

  record Plus(Expression operand) implements Expression {}

  record And(Expression left, Expression right) implements Expression {}

  record Or(Expression left, Expression right) implements Expression {}

  record Binary(String operator, Expression left, Expression right) implements Expression {}

  /** {@code first op1 x1 op2 x2 ...}, as Python chains it. */
  record Comparison(Expression first, List<String> operators, List<Expression> operands)
      implements Expression {}

  record Concatenation(List<Expression> parts) implements Expression {}

  /** {@code otherwise} may be null. */
  record Conditional(Expression condition, Expression then, Expression otherwise)
      implements Expression {}

  /** {@code starred} and {@code doubleStarred} may be null. */
  record CallArguments(
      List<Expression> positional,
      List<String> names,
      List<Expression> named,
      Expression starred,
      Expression doubleStarred) {
    static final CallArguments NONE =
        new CallArguments(List.of(), List.of(), List.of(), null, null);
  }
}
