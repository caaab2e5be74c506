/** What is said of a text that is no rule: the words, the place, and the names in scope. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MathError, parseRule } from "../../src/math/index.ts";
import { refusals } from "../helpers/refusals.ts";

/** A rule of these equations. */
const of =
  (...lines: string[]) =>
  () =>
    parseRule(lines.join("\n"), { name: "R" });
const after = (line: string) => of(line, "p = p - lr * g");

test("names", () => {
  expect(
    refusals({
      "an unknown name": of("m = ema(m, g, b1)", "p = p - lr * mm"),
      "another case": of("M = ema(M, g, b1)", "p = p - lr * m"),
      "the gradient by another name": of("p = p - lr * grad"),
      "what papers call lr": of("p = p - eta * g"),
      "what papers call b1": of("m = beta1 * m + g", "p = p - lr * m"),
      "a name like no other": of("p = p - lr * friction * g"),
      "state that is not declared": of("state m", "m = ema(m, g, b1)", "v = emaSq(v, g, b2)"),
      "a function without brackets": of("p = p - lr * sign"),
      "a name of JavaScript's": of("p = p - constructor * g"),
      "a prototype": of("__proto__ = 0.1", "p = p - lr * g"),
      "a value in some cases": of("if lr > 0: d = g", "p = p - lr * d"),
      "a pair as a number": of("betas = (0.9, 0.99)", "p = p - betas * g"),
      "a part that is not there": of("betas = (0.9, 0.99)", "p = p - betas[2] * g"),
      "a hyperparameter gets a value": of("lr = 0.1", "p = p - lr * g", "lr = lr / 2"),
      "a customary one gets a value": of("p = p - lr * g", "lr = lr / 2"),
      "a pair gets a value": of("betas = (a = 0.9, b = 0.99)", "p = p - a * b * g", "betas = 1"),
      "the count gets a value": of("p = p - lr * g", "t = t + 1"),
      "a function gets a value": of("p = p - lr * g", "max = g"),
      "declared twice": of("lr = 0.1", "lr = 0.2", "p = p - lr * g"),
      "p declared": of("state p", "p = p - lr * g"),
      "two states of one name": of("state m as a, v as a", "m = g", "v = g", "p = p - m"),
      "a state named step": of("state m as step", "m = g", "p = p - m"),
      "a hyperparameter named as an option": of("threads = 2", "p = p - threads * g"),
      "no p": of("m = ema(m, g, b1)"),
      "an empty text": of(""),
      "state without an equation": of("state m, v", "m = ema(m, g, b1)", "p = p - lr * m"),
      "a number without an equation": of("number c = 1", "p = p - c * g"),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a customary one gets a value": "MathError NOT_ASSIGNABLE: R, line 2: got lr, a hyperparameter, expected p, g, state or a name of your own. It comes from outside: write lr2 = …, say, and go on with that.
      lr = lr / 2
      ^^",
      "a function gets a value": "MathError BAD_NAME: R, line 2: got max, the name of a function, expected a name of its own.
      max = g
      ^^^",
      "a function without brackets": "MathError UNKNOWN_NAME: R, line 1: got sign, expected one of lr, p, g, t. A function takes brackets: sign(…).
      p = p - lr * sign
                   ^^^^",
      "a hyperparameter gets a value": "MathError NOT_ASSIGNABLE: R, line 3: got lr, a hyperparameter, expected p, g, state or a name of your own. It comes from outside: write lr2 = …, say, and go on with that.
      lr = lr / 2
      ^^",
      "a hyperparameter named as an option": "MathError NAME_CLASH: R, line 1: got "threads", which is taken, expected each name once.
      threads = 2
      ^^^^^^^",
      "a name like no other": "MathError UNKNOWN_NAME: R, line 1: got friction, expected one of lr, p, g, t. A hyperparameter is declared above the equations, friction = 0.1; state has an equation of its own.
      p = p - lr * friction * g
                   ^^^^^^^^",
      "a name of JavaScript's": "MathError BAD_NAME: R, line 1: got constructor, expected a name that JavaScript has no use for.
      p = p - constructor * g
              ^^^^^^^^^^^",
      "a number without an equation": "MathError UNUSED_STATE: R, line 1: got c, which never gets a value, expected an equation c = ….
      number c = 1
             ^",
      "a pair as a number": "MathError WRONG_KIND: R, line 2: got betas, which has 2 parts, expected one of them: betas[0], betas[1].
      p = p - betas * g
              ^^^^^",
      "a pair gets a value": "MathError NOT_ASSIGNABLE: R, line 3: got betas, a hyperparameter, expected p, g, state or a name of your own. It comes from outside: write betas2 = …, say, and go on with that.
      betas = 1
      ^^^^^",
      "a part that is not there": "MathError UNKNOWN_NAME: R, line 2: got betas[2], expected one of betas[0], betas[1], p, g, t. Did you mean betas[0]?
      p = p - betas[2] * g
              ^^^^^^^^",
      "a prototype": "MathError BAD_NAME: R, line 1: got __proto__, expected a name that JavaScript has no use for.
      __proto__ = 0.1
      ^^^^^^^^^",
      "a state named step": "MathError DECLARED_TWICE: R, line 1: got step, which has a meaning of its own, expected each name once.
      state m as step
            ^",
      "a value in some cases": "MathError NOT_ALWAYS_SET: R, line 2: got d, which has a value in some cases only, expected a value in all of them. Give it one under else as well, or before the if.
      p = p - lr * d
                   ^",
      "an empty text": "MathError MISSING_P: R, line 1: got no equation for p, expected one that gives the parameter its new value, such as p = p - lr * g.
      
      ^",
      "an unknown name": "MathError UNKNOWN_NAME: R, line 2: got mm, expected one of b1, lr, p, g, t, m. Did you mean m?
      p = p - lr * mm
                   ^^",
      "another case": "MathError UNKNOWN_NAME: R, line 2: got m, expected one of b1, lr, p, g, t, M. Did you mean M?
      p = p - lr * m
                   ^",
      "declared twice": "MathError DECLARED_TWICE: R, line 2: got lr, which is declared already, expected each name once.
      lr = 0.2
      ^^",
      "no p": "MathError MISSING_P: R, line 1: got no equation for p, expected one that gives the parameter its new value, such as p = p - lr * g.
      m = ema(m, g, b1)
                       ^",
      "p declared": "MathError DECLARED_TWICE: R, line 1: got p, which has a meaning of its own, expected each name once.
      state p
            ^",
      "state that is not declared": "MathError MISSING_P: R, line 3: got no equation for p, expected one that gives the parameter its new value, such as p = p - lr * g.
      v = emaSq(v, g, b2)
                         ^",
      "state without an equation": "MathError UNUSED_STATE: R, line 1: got v, which never gets a value, expected an equation v = ….
      state m, v
               ^",
      "the count gets a value": "MathError NOT_ASSIGNABLE: R, line 2: got t, the count of steps, expected p, g, state or a name of your own. It comes from outside: write t2 = …, say, and go on with that.
      t = t + 1
      ^",
      "the gradient by another name": "MathError UNKNOWN_NAME: R, line 1: got grad, expected one of lr, p, g, t. Did you mean g?
      p = p - lr * grad
                   ^^^^",
      "two states of one name": "MathError DECLARED_TWICE: R, line 1: got a, which is declared already, expected each name once.
      state m as a, v as a
                    ^",
      "what papers call b1": "MathError UNKNOWN_NAME: R, line 1: got beta1, expected one of lr, p, g, t, m. Did you mean b1?
      m = beta1 * m + g
          ^^^^^",
      "what papers call lr": "MathError UNKNOWN_NAME: R, line 1: got eta, expected one of p, g, t. Did you mean lr?
      p = p - eta * g
              ^^^",
    }
  `);
});

test("kinds", () => {
  expect(
    refusals({
      "an unknown function": after("d = sqroot(g)"),
      "a product without a sign": after("d = lr (g)"),
      "too few arguments": after("d = lerp(g, p)"),
      "too many": after("d = sqrt(g, p)"),
      none: after("d = sqrt()"),
      "a tensor as a share": after("d = lerp(p, g, g)"),
      "a number as a tensor": after("d = norm(lr)"),
      "a switch as a number": of("fast = true", "p = p - fast * g"),
      "a tensor decides": after("if g > 0: d = g"),
      "a tensor is a condition": after("if g: d = g"),
      "a number is a condition": after("d = g if lr else p"),
      "a tensor's exponent": after("d = g^0.5"),
      "a tensor as an exponent": after("d = 2^g"),
      "and between tensors": after("d = where(g > 0 and p > 0, g, p)"),
      "unequal tensors": after("d = where(g != 0, g, p)"),
      "where of numbers": after("d = where(lr > 0, g, p)"),
      "a scalar chooses tensors": after("d = where(norm(g) > 1, g, p)"),
      "p becomes a number": of("p = lr"),
      "p becomes a scalar": of("p = norm(g)"),
      "p becomes a comparison": of("p = p > g"),
      "a number becomes a tensor": of("number c = 1", "c = g", "p = p - c"),
      "state begins as a tensor": of("state m = g", "m = g", "p = p - m"),
      "what is fresh": after("if isFresh(g): d = g"),
      "a default beyond its domain": of("lr = -1 in [0, inf)", "p = p - lr * g"),
      "a domain that is none": of("lr = 1 in [2, 1", "p = p - lr * g"),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a default beyond its domain": "MathError BAD_HYPERPARAMETER: R, line 1: got -1, expected a finite number in [0, inf).
      lr = -1 in [0, inf)
      ^^",
      "a domain that is none": "MathError SYNTAX: R, line 2: got p, expected ] or ).
      p = p - lr * g
      ^",
      "a number as a tensor": "MathError WRONG_KIND: R, line 1: got a number, expected a tensor.
      d = norm(lr)
               ^^",
      "a number becomes a tensor": "MathError WRONG_KIND: R, line 2: got a tensor, expected a number for c.
      c = g
          ^",
      "a number is a condition": "MathError WRONG_KIND: R, line 1: got a number, expected true or false or a comparison of tensors.
      d = g if lr else p
               ^^",
      "a product without a sign": "MathError UNKNOWN_WORD: R, line 1: got lr(…), expected one of sqrt, abs, sign, sq, min, max, add, sub, mul, div, clamp, fma, lerp, ema, emaSq, where, sum, mean, norm, maxAbs, sizeOf, dot, machineEpsilon, isFresh, pow, float32, floor, exp, log, cos. A product takes a sign: a * (b + c).
      d = lr (g)
          ^^",
      "a scalar chooses tensors": "MathError WRONG_KIND: R, line 1: got a tensor, expected a number or a scalar. A comparison of scalars chooses between scalars: g * where(norm(g) > 1, c, 1).
      d = where(norm(g) > 1, g, p)
                             ^",
      "a switch as a number": "MathError WRONG_KIND: R, line 2: got true or false, expected a number or a tensor.
      p = p - fast * g
              ^^^^",
      "a tensor as a share": "MathError WRONG_KIND: R, line 1: got a tensor, expected a number.
      d = lerp(p, g, g)
                     ^",
      "a tensor as an exponent": "MathError WRONG_KIND: R, line 1: got a tensor, expected a number.
      d = 2^g
            ^",
      "a tensor decides": "MathError WRONG_KIND: R, line 1: got a comparison of tensors, expected true or false. Tensors are chosen from by where(a > b, x, y).
      if g > 0: d = g
         ^^^^^",
      "a tensor is a condition": "MathError WRONG_KIND: R, line 1: got a tensor, expected true or false.
      if g: d = g
         ^",
      "a tensor's exponent": "MathError WRONG_KIND: R, line 1: got 0.5, expected a whole number from 1 to 16 as the exponent of a tensor. Write sqrt(x).
      d = g^0.5
            ^^^",
      "an unknown function": "MathError UNKNOWN_WORD: R, line 1: got sqroot(…), expected one of sqrt, abs, sign, sq, min, max, add, sub, mul, div, clamp, fma, lerp, ema, emaSq, where, sum, mean, norm, maxAbs, sizeOf, dot, machineEpsilon, isFresh, pow, float32, floor, exp, log, cos. Did you mean sqrt?
      d = sqroot(g)
          ^^^^^^",
      "and between tensors": "MathError WRONG_KIND: R, line 1: got a comparison of tensors, expected true or false. A comparison of tensors has no and, or, not: put one where into another.
      d = where(g > 0 and p > 0, g, p)
                ^^^^^",
      "none": "MathError WRONG_ARITY: R, line 1: got sqrt with no arguments, expected 1 argument: sqrt(x).
      d = sqrt()
          ^^^^^^",
      "p becomes a comparison": "MathError WRONG_KIND: R, line 1: got a comparison of tensors, expected a tensor for p.
      p = p > g
          ^^^^^",
      "p becomes a number": "MathError WRONG_KIND: R, line 1: got a number, expected a tensor for p.
      p = lr
          ^^",
      "p becomes a scalar": "MathError WRONG_KIND: R, line 1: got a scalar, expected a tensor for p.
      p = norm(g)
          ^^^^^^^",
      "state begins as a tensor": "MathError UNKNOWN_NAME: R, line 1: got g, expected a number. Only hyperparameters are known here.
      state m = g
                ^",
      "too few arguments": "MathError WRONG_ARITY: R, line 1: got lerp with 2 arguments, expected 3 arguments: lerp(m, g, 1 - b1).
      d = lerp(g, p)
          ^^^^^^^^^^",
      "too many": "MathError WRONG_ARITY: R, line 1: got sqrt with 2 arguments, expected 1 argument: sqrt(x).
      d = sqrt(g, p)
          ^^^^^^^^^^",
      "unequal tensors": "MathError WRONG_KIND: R, line 1: got != between tensors, expected one of == < <= > >=.
      d = where(g != 0, g, p)
                ^",
      "what is fresh": "MathError WRONG_KIND: R, line 1: got g, expected the letter of a state tensor.
      if isFresh(g): d = g
                 ^",
      "where of numbers": "MathError WRONG_KIND: R, line 1: got true or false, expected a comparison of tensors. Numbers and switches choose by: x if a > b else y.
      d = where(lr > 0, g, p)
                ^^^^^^",
    }
  `);
});

test("grammar", () => {
  expect(
    refusals({
      "an open bracket": of("p = p - lr * (g + p"),
      "an open bracket and more lines": of("m = ema(m, g, b1", "p = p - lr * m"),
      "a bracket too many": of("p = p - lr * g)"),
      "a bracket closed by another": of("p = p - lr * (g]"),
      "one = in a condition": of("if lr = 0: d = g", "p = p - lr * g"),
      "two = in an equation": of("p == p - lr * g"),
      "an update as in C": of("p -= lr * g"),
      "a definition": of("p := p - lr * g"),
      "a method": of("p = p - lr * g.sign()"),
      "an = in an expression": of("p = p - (lr = 1) * g"),
      "two values side by side": of("p = p - lr g"),
      "a number against a name": of("p = p - 2g"),
      "a number with two points": of("p = p - 1.2.3 * g"),
      "a number too large": of("p = p - 1e999 * g"),
      "an expression alone": of("p - lr * g"),
      "a sign at the end": of("p = p -"),
      "two signs": of("p = p * / g"),
      "two comparisons": of("if 0 < lr < 1: d = g", "p = p - lr * g"),
      "a square as a sign": of("p = p - lr * g²"),
      "a letter of the Greeks": of("p = p - α * g"),
      "a question mark": of("p = lr > 0 ? p : g"),
      "a tab": of("if lr > 0:", "\tp = p - lr * g"),
      "a block that is not indented": of("if lr > 0:", "p = p - lr * g"),
      "a line indented for no reason": of("m = g", "  p = p - lr * m"),
      "a line between two blocks": of("if lr > 0:", "    m = g", "  p = p - g"),
      "an else alone": of("p = p - g", "else: p = p"),
      "a declaration below": of("p = p - lr * m", "state m"),
      "a word of the language": of("if = 2", "p = p - if * g"),
      "a choice without else": of("p = p - (g if lr > 0)"),
      "a domain of an equation": of("d = 2 * g in [0, 1]", "p = p - d"),
      "a tuple of one": of("betas = (b = 0.9)", "p = p - b * g"),
      "a number in a rule that is uncounted": of(
        "uncounted",
        "number c",
        "c = c + 1",
        "p = p - c * g",
      ),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a block that is not indented": "MathError SYNTAX: R, line 2: got p, expected an indented line.
      p = p - lr * g
      ^",
      "a bracket closed by another": "MathError SYNTAX: R, line 1: got ], expected a sign such as + or ).
      p = p - lr * (g]
                     ^",
      "a bracket too many": "MathError SYNTAX: R, line 1: got ), expected a sign such as +, or the end of the line.
      p = p - lr * g)
                    ^",
      "a choice without else": "MathError SYNTAX: R, line 1: got ), expected else and what holds otherwise.
      p = p - (g if lr > 0)
                          ^",
      "a declaration below": "MathError SYNTAX: R, line 2: got state, expected an equation: declarations come before them.
      state m
      ^^^^^",
      "a definition": "MathError SYNTAX: R, line 1: got :, expected = and a value. A name gets its value by =.
      p := p - lr * g
        ^",
      "a domain of an equation": "MathError SYNTAX: R, line 1: got in behind an equation, expected it behind a constant, which declares a hyperparameter.
      d = 2 * g in [0, 1]
                ^^",
      "a letter of the Greeks": "MathError BAD_CHARACTER: R, line 1: got α, expected numbers, names of letters, digits and _, and the signs + - * / ^. The learning rate is lr.
      p = p - α * g
              ^",
      "a line between two blocks": "MathError BAD_INDENT: R, line 3: got a line indented by 2, expected one indented by 0.
        p = p - g
        ^",
      "a line indented for no reason": "MathError SYNTAX: R, line 2: got an indented line, expected an equation such as p = p - lr * g.
        p = p - lr * m
        ^",
      "a method": "MathError BAD_CHARACTER: R, line 1: got ., expected numbers, names of letters, digits and _, and the signs + - * / ^. A function stands before what it takes: sqrt(x).
      p = p - lr * g.sign()
                    ^",
      "a number against a name": "MathError BAD_NUMBER: R, line 1: got 2g, expected a finite number such as 0.9 or 1e-8. A product takes a sign: 2 * g.
      p = p - 2g
              ^^",
      "a number in a rule that is uncounted": "MathError SYNTAX: R, line 2: got a number in a rule that is uncounted, expected one or the other.
      number c
             ^",
      "a number too large": "MathError BAD_NUMBER: R, line 1: got 1e999, expected a finite number such as 0.9 or 1e-8.
      p = p - 1e999 * g
              ^^^^^",
      "a number with two points": "MathError BAD_NUMBER: R, line 1: got 1.2.3, expected a finite number such as 0.9 or 1e-8.
      p = p - 1.2.3 * g
              ^^^^^",
      "a question mark": "MathError BAD_CHARACTER: R, line 1: got ?, expected numbers, names of letters, digits and _, and the signs + - * / ^. Write a if condition else b.
      p = lr > 0 ? p : g
                 ^",
      "a sign at the end": "MathError SYNTAX: R, line 1: got the end of the line, expected a number, a name or a bracket.
      p = p -
             ^",
      "a square as a sign": "MathError BAD_CHARACTER: R, line 1: got ², expected numbers, names of letters, digits and _, and the signs + - * / ^. Write x^2.
      p = p - lr * g²
                    ^",
      "a tab": "MathError BAD_CHARACTER: R, line 2: got a tab, expected numbers, names of letters, digits and _, and the signs + - * / ^. Indent by spaces.
       p = p - lr * g
      ^",
      "a tuple of one": "MathError SYNTAX: R, line 1: got a tuple of 1, expected one of two or three numbers.
      betas = (b = 0.9)
              ^^^^^^^^^",
      "a word of the language": "MathError SYNTAX: R, line 1: got =, expected a number, a name or a bracket.
      if = 2
         ^",
      "an = in an expression": "MathError SYNTAX: R, line 1: got =, expected a sign such as + or ).
      p = p - (lr = 1) * g
                  ^",
      "an else alone": "MathError SYNTAX: R, line 2: got else, expected an equation such as p = p - lr * g. else is a word of the language.
      else: p = p
      ^^^^",
      "an expression alone": "MathError SYNTAX: R, line 1: got -, expected = and a value.
      p - lr * g
        ^",
      "an open bracket": "MathError UNCLOSED: R, line 1: got ( without its ), expected a ) further on.
      p = p - lr * (g + p
                   ^",
      "an open bracket and more lines": "MathError UNCLOSED: R, line 1: got ( without its ), expected a ) further on.
      m = ema(m, g, b1
             ^",
      "an update as in C": "MathError SYNTAX: R, line 1: got -, expected = and a value. Write p = p - ….
      p -= lr * g
        ^",
      "one = in a condition": "MathError SYNTAX: R, line 1: got =, expected a colon and an equation. Two values are compared by ==.
      if lr = 0: d = g
            ^",
      "two = in an equation": "MathError SYNTAX: R, line 1: got ==, expected = and a value. A name gets its value by one =.
      p == p - lr * g
        ^^",
      "two comparisons": "MathError SYNTAX: R, line 1: got <, expected one comparison at a time. Write a < b and b < c.
      if 0 < lr < 1: d = g
                ^",
      "two signs": "MathError SYNTAX: R, line 1: got /, expected a number, a name or a bracket.
      p = p * / g
              ^",
      "two values side by side": "MathError SYNTAX: R, line 1: got g, expected a sign such as +, or the end of the line. A product takes a sign, a * b, and a function takes brackets, sqrt(x).
      p = p - lr g
                 ^",
    }
  `);
});

test("limits", () => {
  const first = (text: string) => () => {
    try {
      parseRule(text, { name: "R" });
    } catch (error) {
      if (error instanceof MathError)
        throw Object.assign(error, { message: error.message.split("\n")[0] });
      throw error;
    }
  };
  expect(
    refusals({
      "a long text": first(`p = p - g${" ".repeat(10_000)}`),
      "many brackets": first(`p = p - ${"(".repeat(2000)}g${")".repeat(2000)}`),
      "many signs": first(`p = p - ${"-".repeat(4000)}g`),
      "many terms": first(`p = p${" - g".repeat(2000)}`),
      "many powers": first(`p = p * 2${"^2".repeat(2000)}`),
      "many choices": first(`p = ${"p if lr > 0 else ".repeat(500)}g`),
      "many cases": first(`if lr > 0: p = g\n${"elif lr > 0: p = g\n".repeat(400)}else: p = p - g`),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a long text": "MathError TOO_LONG: R, line 1: got 10009 characters, expected at most 10000.",
      "many brackets": "MathError TOO_DEEP: R, line 1: got more than 100 operations or blocks inside one another, expected fewer. Give a part of it a name on a line of its own.",
      "many cases": "MathError TOO_DEEP: R, line 100: got more than 100 operations or blocks inside one another, expected fewer. Give a part of it a name on a line of its own.",
      "many choices": "MathError TOO_DEEP: R, line 1: got more than 100 operations or blocks inside one another, expected fewer. Give a part of it a name on a line of its own.",
      "many powers": "MathError TOO_DEEP: R, line 1: got more than 100 operations or blocks inside one another, expected fewer. Give a part of it a name on a line of its own.",
      "many signs": "MathError TOO_DEEP: R, line 1: got more than 100 operations or blocks inside one another, expected fewer. Give a part of it a name on a line of its own.",
      "many terms": "MathError TOO_DEEP: R, line 1: got more than 100 operations or blocks inside one another, expected fewer. Give a part of it a name on a line of its own.",
    }
  `);
});

test("an error knows its place", () => {
  const text = "lr = 0.1\n\nm = ema(m, g, b1)\np = p - lr * mm";
  let error: unknown;
  try {
    parseRule(text);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(MathError);
  expect(error).toMatchObject({
    code: "UNKNOWN_NAME",
    line: 4,
    column: 14,
    length: 2,
    names: ["lr", "b1", "p", "g", "t", "m"],
    excerpt: "  p = p - lr * mm\n               ^^",
  });
});

describe("random texts", () => {
  const words = [
    ..."p g m v t lr b1 b2 eps x betas if elif else and or not in as state number rule require uncounted".split(
      " ",
    ),
    ..."true false inf ema lerp sqrt max where isFresh norm dot float32 pow constructor __proto__".split(
      " ",
    ),
    ..."+ - * / ^ ** = == != < <= ( ) [ ] , : ; # 0 1 2 0.5 1e-3 1e999 $ ² \t".split(" "),
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    "p = p - lr * g\n",
    "m = ema(m, g, b1)\n",
    "if lr > 0: ",
    "(0.9, 0.99)",
  ];
  /** Whether it is a rule, or refused with a place that is in the text. */
  const isRuleOrRefused = (text: string): boolean => {
    try {
      return parseRule(text).slots.length >= 2;
    } catch (error) {
      if (!(error instanceof MathError)) throw error;
      const line = text.split("\n")[error.line - 1];
      return error.column <= (line ?? "").length + 1 && (line !== undefined || text === "");
    }
  };

  test("of words give rules or MathErrors", () => {
    const text = fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((all) => all.join(" "));
    fc.assert(
      fc.property(text, (each) => {
        expect(isRuleOrRefused(each)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test("of letters give rules or MathErrors", () => {
    const letter = fc.integer({ min: 0, max: 0x2300 }).map((code) => String.fromCharCode(code));
    const text = fc.string({ maxLength: 60, unit: fc.oneof(fc.string({ maxLength: 1 }), letter) });
    fc.assert(
      fc.property(text, (each) => {
        expect(isRuleOrRefused(each)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("leave no trace in prototypes", () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      for (const text of [`${name} = 1`, `state ${name}`, `p = ${name}(g)`, `state m as ${name}`]) {
        expect(() => parseRule(`${text}\np = p - g`)).toThrow(MathError);
      }
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
