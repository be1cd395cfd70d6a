# The live socket of a Chatwoot, by Rails' own Action Cable: its one channel, a way to publish, and
# everything else handed on to the API of the tests' own Chatwoot.
require "logger"
require "net/http"
require "action_cable"

class Connection < ActionCable::Connection::Base
end

class RoomChannel < ActionCable::Channel::Base
  def subscribed
    return reject unless params[:pubsub_token] == ENV.fetch("PUBSUB_TOKEN")

    stream_from "account_#{params[:account_id]}"
    stream_from "user_#{params[:user_id]}"
  end

  def update_presence
    users = { params[:user_id].to_s => "online" }
    data = { account_id: params[:account_id], users: users }
    ActionCable.server.broadcast("user_#{params[:user_id]}", { event: "presence.update", data: data })
  end
end

ActionCable.server.config.tap do |config|
  config.cable = { "adapter" => "async" }
  config.connection_class = -> { Connection }
  config.logger = Logger.new(IO::NULL)
  config.disable_request_forgery_protection = true
end

map "/cable" do
  run ActionCable.server
end

map "/publish" do
  run(lambda do |env|
    told = JSON.parse(env["rack.input"].read)
    ActionCable.server.broadcast("account_#{told.dig("data", "account_id")}", told)
    [200, {}, []]
  end)
end

map "/" do
  run(lambda do |env|
    Net::HTTP.start("127.0.0.1", ENV.fetch("API_PORT").to_i) do |http|
      token = { "api_access_token" => env["HTTP_API_ACCESS_TOKEN"].to_s }
      answer = http.send_request(env["REQUEST_METHOD"], env["REQUEST_URI"], nil, token)
      [answer.code.to_i, { "content-type" => "application/json" }, [answer.body]]
    end
  end)
end
