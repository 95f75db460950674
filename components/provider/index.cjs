// Pulumi requires this folder and waits for what it returns; Node strips the types of what is imported.
module.exports = () => import("./main.ts");
