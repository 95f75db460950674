import { makeStack } from "../components/environment/make-stack.ts";

// Pulumi's host formats the stack of every promise by source maps: a third of the time that a thousand hosts take. Node
// strips types in place, so positions are right without.
Reflect.deleteProperty(Error, "prepareStackTrace");

/** The program of every stack: the environment whose file has the stack's name. What it exports are the stack's outputs. */
export default await makeStack();
